"""Job count: parameters, non-zeros, bytes and operations of one model, as the stage size counts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench.measure.stages.pair import rows
from kdbench.measure.stages.subject import TAKES
from kdbench.nouns import Job
from kdbench.stages import Place, artefacts, running, size
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: {length}. inputs: artefact and rows. Writes size.json. Operations are those of one row, the first."""
    spec: dict[str, Any] = dict(job.spec)
    artefact = artefacts.read(inputs["artefact"], place.plugins)
    counted = size.measure(artefact, running.first_rows(rows(inputs, spec), 1))
    draft.json("size.json", {**inputs["artefact"].json(TAKES)["files"], **counted})
