"""Squared error of the probabilities (Brier 1950)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="lower",
    unit="score",
    low=0.0,
    high=2.0,
    axis="calibration",
    title="Brier score",
    convention="Brier's own: sum over all classes, in [0, 2]; for two classes twice the binary score of scikit-learn",
)
def brier(predictions: Predictions) -> np.ndarray:
    """sum_k (p_k - 1[label = k])^2, (n,)."""
    hit = predictions.label[:, None] == np.arange(predictions.probability.shape[1])
    return np.asarray(((predictions.probability - hit) ** 2).sum(axis=1))
