"""Refusals that several metrics share: examples without a label, and tasks without a decision in favour."""

from __future__ import annotations

from kdbench import NotApplicable, Predictions, Undefined


def labelled(predictions: Predictions) -> None:
    """Raise Undefined where a label is missing (-1): as an index it would silently mean the last class."""
    if (predictions.label < 0).any():
        raise Undefined("not every example has a label")


def positive_class(predictions: Predictions) -> int:
    """The class that is a decision in favour. Raises NotApplicable where there is none."""
    if predictions.positive is None:
        raise NotApplicable("no class means a decision in favour")
    return predictions.positive
