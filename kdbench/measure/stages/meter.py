"""Job meter: the energy of answers, as the stage energy reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench.measure.stages.pair import ask, rows
from kdbench.nouns import Job
from kdbench.stages import Place, artefacts, energy, running
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: {target, batch, length}. inputs: artefact and rows. Writes energy.json."""
    spec: dict[str, Any] = dict(job.spec)
    x = rows(inputs, spec)
    example = running.first_rows(x, spec["batch"])
    runner = running.open_runner(artefacts.read(inputs["artefact"], place.plugins), spec["target"], place, example)
    device = str(place.plugins.get("target", spec["target"]["name"]).facts.get("device") or "cpu")
    draft.json("energy.json", energy.of_runner(runner, x, ask(spec, place), device=device))
