"""Share of the negative examples that are decided in favour."""

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
    title="False positive rate",
    equation="FP / (FP + TN), of the positive class",
    source="fairlearn false_positive_rate",
    reads="decisions",
    convention="P(pred = positive | label != positive), also fall-out; its gap over groups is a part of the equalized odds "
    "difference; not the share of positive decisions that are wrong (false discovery rate)",
    undefined="no negative examples",
)
def false_positive_rate(predictions: Predictions) -> Cells:
    """Columns 1[label != positive] and 1[label != positive and pred = positive]."""
    positive = positive_class(predictions)
    return Cells(np.where(predictions.label != positive, 0, -1), 1, (predictions.pred == positive,))


def finish(means: np.ndarray) -> np.ndarray:
    """The second over the first; NaN, not 0, where there are no negative examples."""
    return ratio(means[..., 1], means[..., 0])
