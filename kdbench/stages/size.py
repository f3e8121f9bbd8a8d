"""Stage size: parameters, non-zeros, bytes on disk, FLOPs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench.nouns import Artefact, Job
from kdbench.stages import Place, artefacts
from kdbench.store import Draft, Entry

WARM = ("torch._dynamo",)
"""Imported by torch itself in every process that steps an optimizer or dispatches an operator; a second of work, so once."""


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads an artefact; writes size.json.

    bytes: what is shipped to run the model, as stored: the weights of a torch network (without the record of its edits), or
    the files of another runtime. Counts and FLOPs: see `kdbench.nets.sizes` and `kdbench.nets.flops`. What cannot be known is
    None, with a reason beside it.
    """
    entry = inputs["artefact"]
    artefact = artefacts.read(entry, place.plugins)
    shipped = tuple(artefact.files) or (artefacts.WEIGHTS,)
    draft.json("size.json", {"bytes": sum(entry.manifest["files"][name]["bytes"] for name in shipped), **measure(artefact)})


def measure(artefact: Artefact) -> dict[str, Any]:
    """Counts and FLOPs of an artefact."""
    if artefact.runtime == "torch":
        import torch  # noqa: PLC0415 - other runtimes are counted without it

        from kdbench.nets import flops, sizes  # noqa: PLC0415 - as above
        from kdbench.nets.build import example  # noqa: PLC0415 - as above

        with torch.no_grad():
            rows = {name: x.numpy() for name, x in example(artefact.shape, 1).items()}
        return {**sizes.torch_sizes(artefact.module), **flops.count(artefact.module, rows)}
    graphs = [data for name, data in artefact.files.items() if name.endswith(".onnx")]
    if artefact.runtime == "onnx" and len(graphs) == 1:
        from kdbench.nets import onnx_flops, sizes  # noqa: PLC0415 - as above

        return {**sizes.onnx_sizes(graphs[0]), **onnx_flops.count(graphs[0])}
    reason = f"no way to count inside a {artefact.runtime} artefact"
    counts = dict.fromkeys(("parameters", "parameters_by_name", "nonzeros", "embedding_parameters", "buffers", "flops"))
    return {
        **counts,
        "flops_by_op": {},
        "uncounted": [],
        **{f"{name}_reason": reason for name in ("parameters", "nonzeros", "flops")},
    }
