"""Whether an ONNX graph from elsewhere may be opened: whole, self-contained, and built of known operators."""

from __future__ import annotations

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types

from kdbench.nouns import Refusal

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Where operators may come from; any other domain names a library of native code."""


def check(name: str, data: bytes) -> None:
    """Raises Refusal for what is no graph, keeps tensors in other files, or needs operators from elsewhere.

    The parser takes an empty file for an empty model, and the runtime follows external data wherever it points; so neither
    is asked first.
    """
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise Refusal(f"{name} is not an ONNX graph") from None
    if not model.graph.node or not model.graph.input or not model.graph.output:
        raise Refusal(f"{name} is not an ONNX graph: it has no nodes, inputs or outputs")
    foreign = sorted({imported.domain for imported in model.opset_import} - set(DOMAINS))
    if foreign or model.functions:
        raise Refusal(f"{name} needs operators of {', '.join(foreign) or 'its own functions'} (allowed: ONNX and com.microsoft)")
    _inside(name, model.graph)


def _inside(name: str, graph: onnx.GraphProto) -> None:
    tensors = [*graph.initializer, *(t for sparse in graph.sparse_initializer for t in (sparse.values, sparse.indices))]
    for node in graph.node:
        for attribute in node.attribute:
            tensors += [attribute.t, *attribute.tensors]
            for inner in (attribute.g, *attribute.graphs):
                _inside(name, inner)
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise Refusal(f"{name} keeps {tensor.name[:80]!r} in another file; save it with its tensors inside")
