"""Examples that went through a live teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric


@metric(
    form="measured",
    better="lower",
    unit="count",
    low=0.0,
    axis="cost",
    title="Teacher passes",
    equation="sum over the steps of the examples that a teacher answered",
    source="the record of each step",
    convention="examples that a teacher answered while the contender was made; a shared recording counts in full for each",
    reads="decisions",
)
def teacher_passes(cost: Mapping[str, Any]) -> float:
    """Teacher passes of the whole chain of steps."""
    return float(cost["chain"]["teacher_passes"])
