"""Floating-point operations of one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import Undefined, metric


@metric(
    form="measured",
    better="lower",
    unit="flop",
    low=0.0,
    axis="compute",
    title="FLOPs",
    convention="2 per multiply-add, batch of 1; undefined, never 0, where the counter is blind",
)
def flops(size: Mapping[str, Any]) -> float:
    """The count of the size stage. Raises Undefined with the counter's own reason."""
    if size["flops"] is None:
        raise Undefined(str(size.get("flops_reason") or "the counter cannot see into this graph"))
    return float(size["flops"])


def note(size: Mapping[str, Any]) -> str:
    """The operations that were not counted."""
    missed = size.get("uncounted") or []
    return f"not counted: {', '.join(map(str, missed))}" if missed else ""
