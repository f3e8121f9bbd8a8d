"""How much better the best epoch was than the last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric

from ._training_record import accuracies


@metric(
    form="measured",
    better="lower",
    low=0.0,
    high=1.0,
    axis="training",
    title="Best minus last epoch",
    equation="max_e validation accuracy(e) - validation accuracy(last e)",
    source="the gap between the two numbers that distillation papers report without saying which",
    convention="on the validation split, of the last fit, whichever epoch was kept: what reporting the best epoch would add to a "
    "number, part of it the luck of many looks",
    reads="decisions",
)
def best_minus_last(cost: Mapping[str, Any]) -> float:
    """The difference, 0 where the last epoch is the best. Raises NotApplicable without a fit."""
    found = accuracies(cost)
    return max(found) - found[-1]


def note(cost: Mapping[str, Any]) -> str:
    """Which epoch was best."""
    found = accuracies(cost)
    return f"best in epoch {found.index(max(found)) + 1} of {len(found)}: {max(found):.4g}"
