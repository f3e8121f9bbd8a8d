"""Negative log-likelihood of the labels."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="lower",
    unit="nats",
    low=0.0,
    axis="calibration",
    title="NLL",
    convention="mean of -log p(label), natural logarithm, computed from the logits; "
    "nothing is clipped, so one certain error can dominate",
)
def nll(predictions: Predictions) -> np.ndarray:
    """logsumexp(z) - z_label, (n,)."""
    z = predictions.logits.astype(np.float64)
    z = z - z.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), predictions.label])
