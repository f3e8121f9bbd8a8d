"""Floating-point operations of an ONNX graph, by the conventions of `kdbench.nets.flops`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import onnx
from onnx import shape_inference

COUNTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
HEAVY = frozenset((
    "Attention", "BiasAttention", "Einsum", "FusedConv", "FusedGemm", "FusedMatMul", "GroupQueryAttention", "GRU", "LSTM",
    "MultiHeadAttention", "RNN", "DFT", "STFT", "DeformConv", "If", "Loop", "Scan",
))  # fmt: skip
_INT8 = (
    "QLinear",
    "DynamicQuantize",
    "ConvInteger",
    "MatMulInteger",
    "QuantizeLinear",
    "DequantizeLinear",
    "QGemm",
    "QAttention",
)


def count(data: bytes) -> dict[str, Any]:
    """FLOPs of one row. Gives {flops: int or None, flops_reason, flops_by_op, uncounted}, as `kdbench.nets.flops.count` does.

    None for a quantised graph: its products are integer operations, and part of them is hidden in fused operators; for an
    operator without a formula; and where a shape cannot be inferred.
    """
    kinds = {node.op_type for node in onnx.load_from_string(data).graph.node}
    if any(kind.startswith(_INT8) for kind in kinds):
        return _undefined("an int8 graph computes in integers: it has no floating-point count")
    uncounted = sorted(kinds & HEAVY)
    if uncounted:
        return _undefined(f"no formula for {', '.join(uncounted)}", uncounted)
    model = onnx.load_from_string(data)
    _one_row(model)
    shapes = _shapes(shape_inference.infer_shapes(model, data_prop=True))
    by_op: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type in COUNTED:
            known = [shapes.get(name) for name in (*node.input[:2], node.output[0])]
            if any(shape is None for shape in known):
                return _undefined(f"the shapes of {node.op_type} {node.name!r} cannot be inferred")
            left, right, out = (shape for shape in known if shape is not None)
            by_op[node.op_type] = by_op.get(node.op_type, 0) + _formula(node, left, right, out)
    return {"flops": sum(by_op.values()), "flops_reason": "", "flops_by_op": by_op, "uncounted": []}


def _formula(node: onnx.NodeProto, left: Sequence[int], right: Sequence[int], out: Sequence[int]) -> int:
    """2 per multiply-add. A kernel (out, in / groups, ...) meets every output place; a transposed one every input place."""
    if node.op_type == "Conv":
        return 2 * out[0] * math.prod(right) * math.prod(out[2:])
    if node.op_type == "ConvTranspose":
        return 2 * left[0] * math.prod(right) * math.prod(left[2:])
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return 2 * math.prod(out) * left[-2 if transposed else -1]


def _one_row(model: onnx.ModelProto) -> None:
    """Fix the first axis of every input to 1, so that all shapes can be inferred."""
    held = {i.name for i in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in held and value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    known = {i.name: tuple(i.dims) for i in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dims):
            known[value.name] = tuple(d.dim_value for d in dims)
    return known


def _undefined(reason: str, uncounted: Sequence[str] = ()) -> dict[str, Any]:
    return {"flops": None, "flops_reason": reason, "flops_by_op": {}, "uncounted": list(uncounted)}
