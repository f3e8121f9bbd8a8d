"""Integer operations of one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric

from ._size_counts import count, left_out


@metric(
    form="measured",
    better="lower",
    unit="operations",
    low=0.0,
    axis="compute",
    title="Integer operations",
    equation="2 * multiply-adds of 8-bit integers, summed over the operations of one answer",
    source="the operators of ONNX that multiply integers, and products of two dequantised values; torch.ao layers for torch",
    convention="2 per multiply-add, batch of 1; 0 for a network of floating point; undefined where the counter is blind",
    reads="decisions",
)
def integer_operations(size: Mapping[str, Any]) -> float:
    """The count of the size stage. Raises Undefined with the counter's own reason."""
    return count(size, "integer_operations")


def note(size: Mapping[str, Any]) -> str:
    """How much of floating point is beside it, and whether the count is a lower bound."""
    rest = size.get("float_operations")
    beside = f"beside {rest} of floating point" if size.get("integer_operations") and rest is not None else ""
    return "; ".join(filter(None, (left_out(size), beside)))
