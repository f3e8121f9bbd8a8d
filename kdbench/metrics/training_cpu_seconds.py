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
    convention="all steps that led here, the making of its teacher apart; CPU clock of the processes",
)
def training_cpu_seconds(cost: Mapping[str, Any]) -> float:
    """CPU seconds of the whole chain of steps."""
    return float(cost["chain"]["cpu_seconds"])
