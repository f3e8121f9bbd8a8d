"""Share of the positive examples that are decided in favour."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._class_counts import ratio
from ._labelled import positive_class


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="bias",
    title="True positive rate",
    equation="TP / (TP + FN), of the positive class",
    source="fairlearn true_positive_rate; Hardt, Price and Srebro 2016 (equal opportunity)",
    reads="decisions",
    convention="P(pred = positive | label == positive), also recall or sensitivity; its gap over groups is the equal "
    "opportunity difference, and a part of the equalized odds difference",
    undefined="no positive examples",
)
def true_positive_rate(predictions: Predictions) -> Cells:
    """Columns 1[label = positive] and 1[label = pred = positive]."""
    positive = positive_class(predictions)
    return Cells(np.where(predictions.label == positive, 0, -1), 1, (predictions.pred == positive,))


def finish(means: np.ndarray) -> np.ndarray:
    """The second over the first; NaN, not 0, where there are no positive examples."""
    return ratio(means[..., 1], means[..., 0])
