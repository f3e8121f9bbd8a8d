"""Energy that made the contender, by the machine's own meter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric

from ._paid_back import cost_of


@metric(
    form="measured",
    better="lower",
    unit="J",
    low=0.0,
    axis="cost",
    title="Training energy",
    equation="sum over the steps of the joules of the processor packages",
    source="Linux powercap (RAPL package counters), read before and after each step",
    convention="all steps that led here, the making of its teacher apart; idle power included; only where no other work shared "
    "the packages; a meter or nothing",
    reads="decisions",
)
def training_energy(cost: Mapping[str, Any]) -> float:
    """Joules of the whole chain of steps. Raises Undefined where those of one are not known."""
    return cost_of(cost, None, "joules")
