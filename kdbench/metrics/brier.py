"""Squared error of the probabilities (Brier 1950)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._labelled import labelled


@metric(
    better="lower",
    unit="score",
    low=0.0,
    high=2.0,
    axis="calibration",
    title="Brier score",
    equation="(1/n) sum_i sum_k (p_ik - 1[y_i = k])^2",
    source="Brier 1950; scikit-learn brier_score_loss(scale_by_half=False)",
    reads="probabilities",
    convention="Brier's own: sum over all classes, in [0, 2]; for two classes twice the binary score of scikit-learn",
)
def brier(predictions: Predictions) -> np.ndarray:
    """sum_k (p_k - 1[label = k])^2 = sum_k p_k^2 + 1 - 2 p_y, (n,). Raises Undefined where an example has no label."""
    labelled(predictions)
    p = predictions.probability
    mine = p[np.arange(len(p)), predictions.label]
    found = np.einsum("ik,ik->i", p, p) + (1.0 - 2.0 * mine)
    return np.asarray(np.maximum(found, 0.0))  # rounding may go below 0
