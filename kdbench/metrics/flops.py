"""Floating-point operations of one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric

from ._size_counts import count


@metric(
    form="measured",
    better="lower",
    unit="flop",
    low=0.0,
    axis="compute",
    title="FLOPs",
    equation="2 * multiply-adds, summed over the operations of one answer",
    source="FlopCounterMode of torch for a torch network; the shapes of the graph for ONNX",
    convention="2 per multiply-add, batch of 1; undefined, never 0, where the counter is blind",
    reads="decisions",
)
def flops(size: Mapping[str, Any]) -> float:
    """The count of the size stage. Raises Undefined with the counter's own reason."""
    return count(size, "flops")


def note(size: Mapping[str, Any]) -> str:
    """The operations that were not counted."""
    missed = size.get("uncounted") or []
    return f"not counted: {', '.join(map(str, missed))}" if missed else ""
