"""Root of the mean squared error of a regression."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="lower",
    unit="unit of the label",
    low=0.0,
    axis="quality",
    title="RMSE",
    equation="sqrt((1/n) sum_i (y_i - yhat_i)^2)",
    source="scikit-learn root_mean_squared_error",
    reads="values",
    convention="the root of the mean over all examples, divided by n; not a mean of roots over batches or groups",
)
def root_mean_squared_error(predictions: Predictions) -> np.ndarray:
    """(label - prediction)^2, (n,)."""
    return np.asarray((predictions.label - predictions.logits[:, 0].astype(np.float64)) ** 2)


def finish(means: np.ndarray) -> np.ndarray:
    """The root of the mean."""
    return np.asarray(np.sqrt(means[..., 0]))
