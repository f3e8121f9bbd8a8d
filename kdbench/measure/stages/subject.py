"""Job subject: a model that the user names, opened in this process, checked, and kept for the jobs that measure it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdbench.measure.opened import alike, open_model
from kdbench.nouns import Artefact, Job, Json
from kdbench.stages import Place, artefacts
from kdbench.store import Draft, Entry

TAKES = "takes.json"


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: {path, name}. inputs: `like`, the model that this one is compared with, whose names its inputs get.

    Writes the artefact as it is, and takes.json: {name, runtime, inputs: {input: {dims, dtype, levels}}, order, renamed, files}.
    files: what is shipped, {bytes, bytes_by_format}, as it was given.
    """
    spec: dict[str, Any] = dict(job.spec)
    path = Path(spec["path"])
    artefact, takes = open_model(path, place.plugins)
    renamed: dict[str, str] = {}
    shipped = _shipped(artefact, path)
    if "like" in inputs:
        other = inputs["like"].json(TAKES)
        artefact, renamed = alike(artefact, takes, other["inputs"], (spec["name"], other["name"]))
        takes = {renamed.get(name, name): about for name, about in takes.items()}
    record: dict[str, Json] = {}
    artefacts.write(draft, artefact, record)
    about = {"name": spec["name"], "runtime": artefact.runtime, "inputs": takes, "order": list(takes), "renamed": renamed}
    draft.json(TAKES, {**about, "files": shipped})


def _shipped(artefact: Artefact, path: Path) -> dict[str, Any]:
    """What is shipped to run the model, as the board counts it: the files of another runtime, or the weights of a network."""
    sizes = {name: len(data) for name, data in artefact.files.items()}
    if not sizes:
        sizes = {artefacts.WEIGHTS: (path / artefacts.WEIGHTS).stat().st_size}
    formats: dict[str, int] = {}
    for name, size in sizes.items():
        ending = name.rpartition(".")[2] if "." in name else "no ending"
        formats[ending] = formats.get(ending, 0) + size
    return {"bytes": sum(sizes.values()), "bytes_by_format": formats}
