"""What the targets that run ONNX graphs share: the file, its inputs, and the graph with its inner values as outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx

from kdbench import Artefact, Refusal
from kdbench.targets import _scopes

INT8 = ("QLinear", "QGemm", "QAttention", "DynamicQuantize", "ConvInteger", "MatMulInteger")
"""How the operators begin that compute in int8."""


def file_of(artefact: Artefact, example: Mapping[str, np.ndarray], exporter: str, target: str) -> bytes:
    """The ONNX file of an artefact: exported from torch, or as it is. Raises Refusal where there is not exactly one."""
    if artefact.runtime == "torch":
        from kdbench import to_onnx  # noqa: PLC0415 - torch, only where a network is exported: a graph runs without it

        exported: bytes = to_onnx(artefact.module, example, exporter)
        return exported
    found = [data for name, data in artefact.files.items() if name.endswith(".onnx")]
    if len(found) != 1:
        raise Refusal(f"{target}: an ONNX artefact has one .onnx file, this one has {len(found)}")
    return found[0]


def scales(data: bytes) -> dict[str, str]:
    """The fact `scales`: "batch", for a graph that takes the scales of its 8-bit numbers from the whole batch."""
    nodes = onnx.load_from_string(data).graph.node
    return {"scales": "batch"} if any(node.op_type.startswith("DynamicQuantize") for node in nodes) else {}


def offered(asked: Iterable[str], example: Mapping[str, np.ndarray], target: str) -> None:
    """Raises Refusal where a graph asks for an input that the data do not have."""
    if foreign := sorted(set(asked) - set(example)):
        raise Refusal(f"{target}: the graph asks for input {foreign[0]!r} (allowed: {', '.join(example)})")


def opened_up(data: bytes, artefact: Artefact) -> tuple[bytes, dict[str, str]]:
    """The graph with the value of each module of the network as a further output, and {module path: name of its output}."""
    model = onnx.load_from_string(data)
    places = _scopes.of_onnx(model.graph, {path for path, _ in artefact.module.named_modules()})
    held = {output.name for output in model.graph.output}
    for name in dict.fromkeys(places.values()):
        if name not in held:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return model.SerializeToString(), places
