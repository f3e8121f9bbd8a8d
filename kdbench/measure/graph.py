"""What an ONNX graph says of its inputs, and a copy of it whose inputs have other names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
from onnx import helper

from kdbench.nouns import Refusal


def declared(name: str, data: bytes) -> dict[str, dict[str, Any]]:
    """{input: {"dims": [int, or the name of an open dimension, ...], "dtype": as numpy names it}}, in the order of the graph.

    Raises Refusal for an input that is no tensor of numbers with one row for each example.
    """
    graph = onnx.load_from_string(data).graph
    held = {one.name for one in graph.initializer}
    found: dict[str, dict[str, Any]] = {}
    for one in graph.input:
        if one.name in held:  # older graphs list their weights among the inputs
            continue
        kind = one.type.WhichOneof("value")
        if kind != "tensor_type" or not one.type.tensor_type.HasField("shape"):
            what = "of no declared shape" if kind == "tensor_type" else f"a {(kind or 'nothing').removesuffix('_type')}"
            raise Refusal(f"{name}: input {one.name[:80]!r} is {what} (allowed: tensors of numbers, one row for each example)")
        tensor = one.type.tensor_type
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if dtype.kind not in "fiub":
            raise Refusal(f"{name}: input {one.name[:80]!r} holds {_kind(tensor.elem_type)} (allowed: numbers)")
        dims = [_size(dim, at) for at, dim in enumerate(tensor.shape.dim)]
        if not dims:
            raise Refusal(f"{name}: input {one.name[:80]!r} is a single number, without one row for each example")
        found[one.name] = {"dims": dims, "dtype": str(dtype)}
    if not found:
        raise Refusal(f"{name}: the graph takes no input, so there is nothing to time")
    return found


def _size(dim: onnx.TensorShapeProto.Dimension, at: int) -> int | str:
    if dim.HasField("dim_value") and dim.dim_value > 0:
        return int(dim.dim_value)
    return dim.dim_param[:40] or f"dimension {at}"


def _kind(code: int) -> str:
    return str(onnx.TensorProto.DataType.Name(code)).lower()


def renamed(name: str, data: bytes, names: Mapping[str, str]) -> bytes:
    """The same graph with other names of its inputs, old -> new. Raises Refusal where a new name is that of something else."""
    model = onnx.load_from_string(data)
    inside = {out for node in model.graph.node for out in node.output} | {one.name for one in model.graph.initializer}
    taken = (inside | {one.name for one in model.graph.input}) - set(names)
    for new in names.values():
        if new in taken:
            raise Refusal(f"{name}: its input cannot be called {new[:80]!r}, as that of the other model is: the graph uses the "
                          "name for something else")  # fmt: skip
    _rename(model.graph, names)
    for one in model.graph.input:
        one.name = names.get(one.name, one.name)
    return bytes(model.SerializeToString())


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Every use of these names, in the bodies of loops and branches too, which see the names around them."""
    for node in graph.node:
        for at, used in enumerate(node.input):
            if used in names:
                node.input[at] = names[used]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                hidden = {one.name for one in (*inner.input, *inner.initializer)} | {o for n in inner.node for o in n.output}
                _rename(inner, {old: new for old, new in names.items() if old not in hidden})
    for one in graph.output:  # a graph may hand an input on as it is
        one.name = names.get(one.name, one.name)
