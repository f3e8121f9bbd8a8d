"""Stage size: parameters, non-zeros, bytes on disk, operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench.nets.counted import nothing
from kdbench.nouns import Artefact, Job
from kdbench.stages import Place, artefacts
from kdbench.store import Draft, Entry

WARM = ("torch._dynamo",)
"""Imported by torch itself in every process that steps an optimizer or dispatches an operator; a second of work, so once."""

_FLOATING = ("image", "numeric", "audio")
"""Inputs of floating point; the others are codes."""


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads an artefact; writes size.json.

    bytes: what is shipped to run the model, as stored: the weights of a torch network (without the record of its edits), or
    the files of another runtime; bytes_by_format: the same by the ending of their names. Counts and operations: see
    `kdbench.nets.sizes` and `kdbench.nets.counted`. What cannot be known is None, with a reason beside it.
    """
    entry = inputs["artefact"]
    artefact = artefacts.read(entry, place.plugins)
    shipped = (artefacts.WEIGHTS,) if artefact.runtime == "torch" else tuple(artefact.files)
    formats: dict[str, int] = {}
    for name in shipped:
        ending = name.rpartition(".")[2] if "." in name else "no ending"
        formats[ending] = formats.get(ending, 0) + entry.manifest["files"][name]["bytes"]
    draft.json("size.json", {"bytes": sum(formats.values()), "bytes_by_format": formats, **measure(artefact)})


def measure(artefact: Artefact, row: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
    """Counts and operations of an artefact, on one row {input: array (1, ...)}: of zeros of its shape, unless one is given."""
    row = row or {
        name: np.zeros((1, *size), np.float32 if name in _FLOATING else np.int64) for name, size in artefact.shape.inputs.items()
    }
    if artefact.runtime == "torch":
        from kdbench.nets import flops, sizes  # noqa: PLC0415 - other runtimes are counted without torch

        counts = {**sizes.torch_sizes(artefact.module), **flops.count(artefact.module, row)}
        return {**counts, "cache_bytes_per_token": sizes.cache_bytes(artefact.module)}
    graphs = [data for name, data in artefact.files.items() if name.endswith(".onnx")]
    if artefact.runtime == "onnx" and len(graphs) == 1:
        from kdbench.nets import onnx_flops, onnx_sizes  # noqa: PLC0415 - as above

        return {**onnx_sizes.count(graphs[0]), **onnx_flops.count(graphs[0], row)}
    reason = f"no way to count inside a {artefact.runtime} artefact"
    counts = dict.fromkeys(("parameters", "parameters_by_name", "nonzeros", "embedding_parameters", "buffers"))
    return {**counts, **nothing(reason), **{f"{name}_reason": reason for name in ("parameters", "nonzeros")}}
