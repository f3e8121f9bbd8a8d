"""Negative log-likelihood of the labels: log loss."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._labelled import labelled


@metric(
    better="lower",
    unit="nats",
    low=0.0,
    axis="calibration",
    title="NLL",
    equation="-(1/n) sum_i log p_i,y_i",
    source="Good 1952; scikit-learn log_loss",
    reads="probabilities",
    convention="mean of -log p(label), natural logarithm, from the logits; the same as log loss and cross-entropy; logits are "
    "not clipped, so one certain error can dominate; a probability of 0 that was given as such counts as 1.2e-38, so that it "
    "costs 87.3 nats (scikit-learn clips at 2.2e-16, 36.0 nats)",
)
def nll(predictions: Predictions) -> np.ndarray:
    """logsumexp(z) - z_label, (n,). Raises Undefined where an example has no label."""
    labelled(predictions)
    return np.asarray(-predictions.log_probability[np.arange(len(predictions.label)), predictions.label])
