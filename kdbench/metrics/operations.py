"""Operations of one answer, whatever the number format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import Undefined, metric

from ._size_counts import count, left_out


@metric(
    form="measured",
    better="lower",
    unit="operations",
    low=0.0,
    axis="compute",
    title="Operations",
    equation="2 * multiply-adds, summed over the operations of one answer, of floating point and of integers",
    source="as FLOPs and integer operations",
    convention="2 per multiply-add in any number format, batch of 1: how much is to be computed, not how fast a format computes",
    reads="decisions",
)
def operations(size: Mapping[str, Any]) -> float:
    """The sum of both counts of the size stage. Raises Undefined with the counter's own reason."""
    if "float_operations" not in size:  # evidence that tells floating point alone
        return count(size, "flops")
    if size["float_operations"] is None:
        raise Undefined(str(size.get("flops_reason") or "the counter cannot see into this graph"))
    return float(size["float_operations"] + size["integer_operations"])


def note(size: Mapping[str, Any]) -> str:
    """The share of integers, and whether the count is a lower bound."""
    whole, rest = size.get("integer_operations") or 0, size.get("float_operations") or 0
    part = f"{whole / (whole + rest):.0%} of them of integers" if whole else ""
    return "; ".join(filter(None, (left_out(size), part)))
