"""Floating-point operations of one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric

from ._size_counts import count, left_out, told_input


@metric(
    form="measured",
    better="lower",
    unit="flop",
    low=0.0,
    axis="compute",
    title="FLOPs",
    equation="2 * multiply-adds, summed over the operations of one answer",
    source="FlopCounterMode of torch, and formulas for what it lacks, for a torch network; the shapes of the graph for ONNX",
    convention="2 per multiply-add, batch of 1; products, convolutions, attention (causal as full) and recurrent layers, all "
    "else 0; undefined, never 0, for an int8 graph, and where operators without a formula take more than 5 % of the run time",
    reads="decisions",
)
def flops(size: Mapping[str, Any]) -> float:
    """The count of the size stage. Raises Undefined with the counter's own reason."""
    return count(size, "flops")


def note(size: Mapping[str, Any]) -> str:
    """The input, and whether the count is a lower bound."""
    told = told_input(size)
    return "; ".join(filter(None, (left_out(size), f"for {told}" if told else "")))
