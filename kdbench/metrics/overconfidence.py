"""By how much mean confidence lies above accuracy: the signed gap."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="none",
    low=-1.0,
    high=1.0,
    axis="calibration",
    title="Overconfidence",
    convention="signed: above 0 overconfident, below 0 underconfident, best at 0; over all examples at once, so that "
    "opposite gaps cancel (they do not in ece, which is never below its absolute value)",
    equation="1/n sum_i (p_i,pred_i - 1[pred_i = y_i])",
    source="calibration-in-the-large of the top label (Cox 1958), with the sign of confidence - accuracy",
    reads="probabilities",
)
def overconfidence(predictions: Predictions) -> np.ndarray:
    """Confidence - 1[right], (n,)."""
    return np.asarray(predictions.confidence - predictions.correct)
