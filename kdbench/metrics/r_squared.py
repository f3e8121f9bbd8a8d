"""Share of the variance of the labels that a regression explains."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, Undefined, metric

LEAST = 1e-12
"""A draw whose variance is less than this share of its mean square holds one label only, but for rounding."""


@metric(
    form="set",
    better="higher",
    unit="share",
    high=1.0,
    axis="quality",
    title="R squared",
    equation="1 - sum_i (y_i - yhat_i)^2 / sum_i (y_i - ybar)^2, ybar the mean label of the slice",
    source="scikit-learn r2_score",
    reads="values",
    convention="coefficient of determination, below 0 for a model worse than the mean; not the squared correlation; relative "
    "to the variance of the slice itself; undefined, where scikit-learn says 1 or 0, if all labels are equal",
    undefined="all labels are equal",
)
def r_squared(predictions: Predictions, weights: np.ndarray | None = None) -> np.ndarray | float:
    """1 - squared error over variance; weights (draws, n) gives (draws,). Raises Undefined where all labels are equal.

    Two passes, as the mean of squares less the square of the mean loses all digits for labels far from 0.
    """
    error, centred = _parts(predictions)
    if weights is None:
        return 1.0 - float(error.sum() / (centred**2).sum())
    w = weights.astype(np.float64)
    size = np.where(w.any(axis=1), w.sum(axis=1), np.nan)
    square = w @ centred**2 / size
    variance = square - (w @ centred / size) ** 2
    variance = np.where(variance > LEAST * square, variance, np.nan)
    return np.asarray(1.0 - w @ error / size / variance)


def influence(predictions: Predictions) -> np.ndarray:
    """Of 1 - E / V: -(e_i^2 - E) / V + E ((y_i - ybar)^2 - V) / V^2, (n,): mean 0."""
    error, centred = _parts(predictions)
    squared = centred**2
    mean, variance = error.mean(), squared.mean()
    return np.asarray((mean * squared / variance - error) / variance)


def _parts(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors, and labels less their mean, float64 (n,) each."""
    label = predictions.label.astype(np.float64)
    if not len(label) or (label == label[0]).all():
        raise Undefined(f"all {len(label)} labels are equal")
    return (label - predictions.logits[:, 0]) ** 2, label - label.mean()
