"""Job peak: peak resident memory of one model, as the stage memory reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench.measure.stages.pair import ask, rows
from kdbench.nouns import Job
from kdbench.stages import Place, artefacts, memory, running
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: {target, batch, length}. inputs: artefact and rows. Writes memory.json."""
    spec: dict[str, Any] = dict(job.spec)
    x = rows(inputs, spec)
    example = running.first_rows(x, spec["batch"])
    model = inputs["artefact"].json(artefacts.ARTEFACT)["model"]
    if model:
        place.plugins.load("model", model["name"])  # the network's code, so that importing it counts as idle
    measured = memory.of_runner(
        lambda: running.open_runner(artefacts.read(inputs["artefact"], place.plugins), spec["target"], place, example),
        x,
        ask(spec, place),
    )
    draft.json("memory.json", measured)
