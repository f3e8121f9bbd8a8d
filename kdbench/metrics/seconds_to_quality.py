"""CPU time until the student is good enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import ProperFraction, metric

from ._training_record import part_of, reached


@metric(
    form="measured",
    better="lower",
    unit="s",
    low=0.0,
    axis="training",
    title="CPU seconds to quality",
    equation="CPU seconds of the fit * (first epoch with validation accuracy >= quality) / epochs",
    source="Coleman et al. 2017 (DAWNBench): time to accuracy, here by the CPU clock",
    convention="the CPU seconds of the last fit, its look at the validation split and a recording of the teacher included, in "
    "equal parts for its epochs: the record has no clock of its own for each; undefined where the quality is never reached",
    reads="decisions",
)
def seconds_to_quality(cost: Mapping[str, Any], *, quality: ProperFraction = 0.9) -> float:
    """CPU seconds by then. Raises Undefined with the best accuracy; NotApplicable without a fit."""
    return part_of(cost, "cpu_seconds", quality)


def note(cost: Mapping[str, Any], *, quality: ProperFraction = 0.9) -> str:
    """In which epoch."""
    return reached(cost, quality)
