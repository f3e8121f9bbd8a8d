"""Operations of an ONNX graph, by the conventions of `kdbench.nets.flops`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from kdbench.nets.counted import counted, nothing
from kdbench.nets.onnx_formulas import FLOATS, INTEGERS, MAY_BE_QUANTISED, MOVES, Node, Unknown, multiplies
from kdbench.nets.onnx_shapes import Shapes, executed, fix_inputs, inferred, shares


def count(data: bytes, example: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
    """Operations on one row: those of floating point and those of integers apart, by operator.

    example: {input: array (n, ...)}: fixes the axes that the file leaves open; the first axis is 1, or what the file fixes,
    by which the counts are then divided (the first input tells). Products of two dequantised values count as integer
    operations: that pair of nodes is how a file says that they are, and it still does where a value is transposed or reshaped
    in between. Gives what `kdbench.nets.counted` says; no count where a
    shape is known neither by inference nor by running the graph.
    """
    model = onnx.load_from_string(data)
    x = fix_inputs(model, example or {})
    work = [node for node in model.graph.node if (_domain(node), node.op_type) in {*FLOATS, *INTEGERS}]
    shapes = _shapes(model, x, work)
    strange = {node.op_type for node in model.graph.node if node not in work and multiplies(_domain(node), node.op_type)}
    counts: dict[bool, dict[str, int]] = {True: {}, False: {}}
    dequantised = _dequantised(model.graph.node)
    for node in work:
        lost = next((name for name in (*node.input, *node.output) if name and name not in shapes), None)
        if lost is not None:
            return nothing(f"the shapes of {node.op_type} {node.name!r} cannot be inferred", x=x)
        try:
            for whole, n in _operations(node, shapes, dequantised):
                counts[whole][node.op_type] = counts[whole].get(node.op_type, 0) + n
        except Unknown:
            strange.add(node.op_type)
    rows = next((max(1, value.shape[0]) for value in x.values() if value.ndim), 1)
    floats, integers = ({op: n // rows for op, n in counts[whole].items()} for whole in (False, True))
    return counted(floats, integers, shares(model, x, sorted(strange)) if strange else {}, x)


def _operations(node: onnx.NodeProto, shapes: Shapes, dequantised: set[str]) -> list[tuple[bool, int]]:
    """[(whether of integers, operations)] of a node; both for attention whose projections alone are quantised."""
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    inputs, outputs = ([shapes.get(name, ()) for name in names] for names in (node.input, node.output))
    asked = Node(node.op_type, attributes, inputs, outputs)
    key = (_domain(node), node.op_type)
    if node.op_type in MAY_BE_QUANTISED and all(name in dequantised for name in node.input[:2]):
        return [(True, FLOATS[key](asked))]
    return [(whole, table[key](asked)) for whole, table in ((False, FLOATS), (True, INTEGERS)) if key in table]


def _dequantised(nodes: Iterable[onnx.NodeProto]) -> set[str]:
    """What comes from a DequantizeLinear, also by way of operators that only move numbers; nodes stand in the order they run."""
    found: set[str] = set()
    for node in nodes:
        if node.op_type == "DequantizeLinear" or (node.op_type in MOVES and node.input[0] in found):
            found.add(node.output[0])
    return found


def _shapes(model: onnx.ModelProto, x: Mapping[str, np.ndarray], work: Sequence[onnx.NodeProto]) -> Shapes:
    """The shapes of what those nodes read and write: inferred, else from a run on x."""
    known = inferred(model)
    open_ones = sorted({name for node in work for name in (*node.input, *node.output) if name and name not in known})
    return {**known, **executed(model, x, open_ones)} if open_ones else known


def _domain(node: onnx.NodeProto) -> str:
    return "" if node.domain == "ai.onnx" else node.domain
