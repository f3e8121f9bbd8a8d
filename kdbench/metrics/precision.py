"""Share of the decisions in favour that are right: the positive predictive value."""

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
    title="Precision (PPV)",
    equation="TP / (TP + FP), of the positive class",
    source="scikit-learn precision_score(zero_division=nan); Chouldechova 2017 (predictive parity)",
    reads="decisions",
    convention="P(label == positive | pred = positive), the positive predictive value; its gap over groups is the difference "
    "of predictive parity; undefined, where scikit-learn says 0, if nothing is decided in favour",
    undefined="no decisions in favour",
)
def precision(predictions: Predictions) -> Cells:
    """Columns 1[pred = positive] and 1[label = pred = positive]."""
    positive = positive_class(predictions)
    return Cells(np.where(predictions.pred == positive, 0, -1), 1, (predictions.label == positive,))


def finish(means: np.ndarray) -> np.ndarray:
    """The second over the first; NaN, not 0, where nothing is decided in favour."""
    return ratio(means[..., 1], means[..., 0])
