"""Training examples until the student is good enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import ProperFraction, metric

from ._training_record import part_of, reached


@metric(
    form="measured",
    better="lower",
    unit="count",
    low=0.0,
    axis="training",
    title="Examples to quality",
    equation="examples of the fit * (first epoch with validation accuracy >= quality) / epochs",
    source="Coleman et al. 2017 (DAWNBench): time to accuracy, here counted in examples",
    convention="whole epochs of the last fit, repeats counted; validation accuracy after each epoch, not the test split; what "
    "came before that fit, and the passes of the teacher, are not in it; undefined where it is never reached",
    reads="decisions",
)
def examples_to_quality(cost: Mapping[str, Any], *, quality: ProperFraction = 0.9) -> float:
    """Examples that had gone through the network by then. Raises Undefined, with the best; NotApplicable without a fit."""
    return part_of(cost, "examples", quality)


def note(cost: Mapping[str, Any], *, quality: ProperFraction = 0.9) -> str:
    """In which epoch."""
    return reached(cost, quality)
