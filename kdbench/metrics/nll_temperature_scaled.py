"""Negative log-likelihood of the labels after temperature scaling (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._scaled import scaled


@metric(
    better="lower",
    unit="nats",
    low=0.0,
    axis="calibration",
    title="NLL after temperature scaling",
    convention="nll of logits / T, T fitted on the clean validation split, and applied unchanged to test and shifted sets; the "
    "interval takes T as given. On validation it is never above nll; on test it can be",
    undefined="no temperature between 0.001 and 1000 is best",
    equation="-1/n sum_i log softmax(z_i / T*)_{y_i}, T* as in temperature",
    source="Guo et al. 2017, On calibration of modern neural networks",
    reads="probabilities",
)
def nll_temperature_scaled(predictions: Predictions, validation: Predictions) -> np.ndarray:
    """-log p(label) after scaling, (n,)."""
    return np.asarray(-scaled(predictions, validation).log_of_label)
