"""Share of the positive examples that are not decided in favour."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._class_counts import ratio
from ._labelled import positive_class


@metric(
    better="lower",
    low=0.0,
    high=1.0,
    axis="bias",
    title="False negative rate",
    equation="FN / (TP + FN), of the positive class",
    source="fairlearn false_negative_rate",
    reads="decisions",
    convention="P(pred != positive | label == positive) = 1 - true positive rate, also miss rate; not the share of negative "
    "decisions that are wrong (false omission rate)",
    undefined="no positive examples",
)
def false_negative_rate(predictions: Predictions) -> Cells:
    """Columns 1[label = positive] and 1[label = positive and pred != positive]."""
    positive = positive_class(predictions)
    return Cells(np.where(predictions.label == positive, 0, -1), 1, (predictions.pred != positive,))


def finish(means: np.ndarray) -> np.ndarray:
    """The second over the first; NaN, not 0, where there are no positive examples."""
    return ratio(means[..., 1], means[..., 0])
