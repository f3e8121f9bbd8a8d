"""CPU time that made the contender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric


@metric(
    form="measured",
    better="lower",
    unit="s",
    low=0.0,
    axis="cost",
    title="Training CPU seconds",
    equation="sum over the steps of CPU seconds",
    source="the record of each step, by the CPU clock of the process",
    convention="all steps that led here, the making of its teacher apart; CPU clock of the processes",
    reads="decisions",
)
def training_cpu_seconds(cost: Mapping[str, Any]) -> float:
    """CPU seconds of the whole chain of steps."""
    return float(cost["chain"]["cpu_seconds"])
