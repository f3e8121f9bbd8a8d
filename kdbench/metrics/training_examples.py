"""Examples that the contender was trained on."""

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
    title="Training examples",
    equation="sum over the steps of examples seen",
    source="the record of each step",
    convention="examples that went through the network in training, all steps that led here, repeats counted",
    reads="decisions",
)
def training_examples(cost: Mapping[str, Any]) -> float:
    """Examples of the whole chain of steps."""
    return float(cost["chain"]["examples"])
