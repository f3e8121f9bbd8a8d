"""How big an ONNX file is: its initializers as stored, also those of inner graphs, by the names of `kdbench.nets.sizes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SCALES = {  # inputs of quantised operators that hold scales, zero points and groups: not weights
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "MatMulInteger": (2, 3),
    "ConvInteger": (2, 3),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "QAttention": (3, 4, 6, 7),
    "DynamicQuantizeMatMul": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "DynamicQuantizeLSTM": (8, 9, 10, 11),
    "MatMulNBits": (2, 3, 4),
    "MatMulBnb4": (2,),
}
_ZERO_POINT = {  # operator -> the places of its weight and of the weight's zero point, and the axis that this one belongs to
    "DequantizeLinear": (0, 2, 1),
    "MatMulInteger": (1, 3, -1),
    "ConvInteger": (1, 3, 0),
    "QLinearConv": (3, 5, 0),
    "QLinearMatMul": (3, 5, -1),
    "QGemm": (3, 5, -1),
    "QAttention": (1, 7, -1),
    "DynamicQuantizeMatMul": (1, 3, -1),
    "MatMulIntegerToFloat": (1, 5, -1),
}
_PACKED = ("MatMulNBits", "MatMulBnb4")
"""Operators whose second input holds several weights in a byte, or one in several bytes."""
_NO_WEIGHTS = frozenset((
    TensorProto.INT64, TensorProto.UINT64, TensorProto.UINT32, TensorProto.BOOL, TensorProto.STRING,
))  # fmt: skip
"""Types of shapes, indices and masks. All others are weights: floats of any width, and integers of 2 to 32 bits."""
_EXACT = frozenset((TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.COMPLEX64, TensorProto.COMPLEX128))


@dataclass(slots=True)
class _Held:
    """A stored tensor. packed: how many weights its bytes hold, where that differs; zero: its zero point and how it is laid."""

    tensor: TensorProto
    used: bool = False
    scale: bool = False
    table: bool = False
    packed: int = 0
    zero: tuple[TensorProto, int, int] | None = None
    source: _Held | None = None

    @property
    def counts(self) -> bool:
        return self.used and not self.scale and bool(self.tensor.dims) and self.tensor.data_type not in _NO_WEIGHTS

    @property
    def elements(self) -> int:
        return self.packed or int(np.prod(self.tensor.dims, dtype=np.int64))


@dataclass(slots=True)
class _Found:
    """What a walk found: the stored tensors, and operators that keep numbers in a form that is not counted."""

    held: list[_Held] = field(default_factory=list)
    strange: set[str] = field(default_factory=set)


def count(data: bytes) -> dict[str, Any]:
    """Counts of an ONNX file, by the same names: its initializers and constants as stored, each once, those inside of If, Loop,
    Scan and local functions too.

    Weights are those of floating point and of integers of up to 32 bits; scales, zero points and 64-bit integers (shapes,
    indices) are not. Several weights packed into a byte count one by one. A quantised weight is zero where it equals its zero
    point. Batch normalisation is usually folded into its convolution, so counts differ a little from the torch network's.
    Buffers are not told apart: 0. What cannot be counted is None, with parameters_reason or nonzeros_reason beside it.
    """
    model = onnx.load_from_string(data)
    found = _Found()
    _walk(model.graph, {}, found)
    for function in model.functions:
        _nodes(function.node, {}, found)
    if found.strange:
        reason = f"weights in a form that is not counted: {', '.join(sorted(found.strange))}"
        names = ("parameters", "parameters_by_name", "nonzeros", "embedding_parameters")
        return {**dict.fromkeys(names), "buffers": 0, "parameters_reason": reason, "nonzeros_reason": reason}
    weights = [one for one in found.held if one.counts]
    total = sum(one.elements for one in weights)
    closed = sorted({why for one in weights if (why := _closed(one))})
    return {
        "parameters": total,
        "parameters_by_name": total,
        "nonzeros": None if closed else sum(int(np.count_nonzero(_centred(one))) for one in weights),
        "embedding_parameters": sum(one.elements for one in weights if one.table),
        "buffers": 0,
        **({"nonzeros_reason": "; ".join(closed)} if closed else {}),
    }


def _walk(graph: onnx.GraphProto, outer: Mapping[str, _Held], found: _Found) -> None:
    """A graph, with the names that it sees from the graphs around it."""
    seen = {**outer}
    for tensor in graph.initializer:
        seen[tensor.name] = _Held(tensor)
        found.held.append(seen[tensor.name])
    if graph.sparse_initializer:
        found.strange.add("sparse initializers")
    _nodes(graph.node, seen, found)
    for output in graph.output:
        if output.name in seen:
            seen[output.name].used = True


def _nodes(nodes: Any, seen: dict[str, _Held], found: _Found) -> None:
    """Notes what the nodes hold, and how they use what they see; goes into their inner graphs."""
    for node in nodes:
        for at, name in enumerate(node.input):
            if name in seen:
                _used(node, at, seen[name], seen)
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                _walk(inner, seen, found)
        if node.op_type == "Constant":
            for tensor in _constants(node, found):
                seen[node.output[0]] = _Held(tensor)
                found.held.append(seen[node.output[0]])
        elif node.op_type == "DequantizeLinear" and node.input[0] in seen:
            seen[node.output[0]] = _Held(TensorProto(), source=seen[node.input[0]])


def _constants(node: onnx.NodeProto, found: _Found) -> Iterator[TensorProto]:
    """The tensor of a Constant; none for shapes and single numbers."""
    for attribute in node.attribute:
        if attribute.name == "value":
            yield attribute.t
        elif attribute.name == "value_floats":
            yield numpy_helper.from_array(np.array(attribute.floats, np.float32))
        elif attribute.name == "sparse_value":
            found.strange.add("sparse constants")


def _used(node: onnx.NodeProto, at: int, held: _Held, seen: Mapping[str, _Held]) -> None:
    """Notes what the input of a node at this place says of the tensor there."""
    held.used = True
    held.scale |= at in _SCALES.get(node.op_type, ())
    if node.op_type == "Gather" and at == 0:
        (held.source or held).table = True
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute if a.type == onnx.AttributeProto.INT}
    if node.op_type in _PACKED and at == 1:
        held.packed = attributes["K"] * attributes["N"]
    weight, point, axis = _ZERO_POINT.get(node.op_type, (-1, -1, 0))
    if at == weight and point < len(node.input) and node.input[point] in seen:
        held.zero = (seen[node.input[point]].tensor, attributes.get("axis", axis), attributes.get("block_size", 0))


def _closed(held: _Held) -> str:
    """Why the zeros of a weight cannot be told; "" where they can."""
    if held.packed:
        return "several weights are packed into a byte"
    tensors = (held.tensor, *(held.zero[:1] if held.zero else ()))
    return "weights are kept in another file" if any(t.data_location == TensorProto.EXTERNAL for t in tensors) else ""


def _centred(held: _Held) -> np.ndarray:
    """The weight less its zero point, which is one number, one for each slice of an axis, or one for each block of it."""
    value = numpy_helper.to_array(held.tensor)
    if held.tensor.data_type not in _EXACT:
        value = value.astype(np.float64)
    if held.zero is None:
        return value
    tensor, axis, block = held.zero
    zero = numpy_helper.to_array(tensor).astype(np.float64)
    if zero.size == 1:
        return np.asarray(value - zero.reshape(()))
    if zero.ndim == value.ndim and value.ndim > 1:
        return np.asarray(value - (np.repeat(zero, block, axis).take(range(value.shape[axis]), axis) if block else zero))
    return np.asarray(value - zero.reshape([-1 if i == axis % value.ndim else 1 for i in range(value.ndim)]))
