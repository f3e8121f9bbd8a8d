"""Mean absolute error of a regression."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="lower",
    unit="unit of the label",
    low=0.0,
    axis="quality",
    title="MAE",
    equation="(1/n) sum_i |y_i - yhat_i|",
    source="scikit-learn mean_absolute_error",
    reads="values",
    convention="in the unit of the label, not a percentage of it; the mean over the examples, not the median",
)
def mean_absolute_error(predictions: Predictions) -> np.ndarray:
    """|label - prediction|, (n,)."""
    return np.asarray(np.abs(predictions.label - predictions.logits[:, 0].astype(np.float64)))
