"""Brier score after temperature scaling (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._scaled import scaled


@metric(
    better="lower",
    unit="score",
    low=0.0,
    high=2.0,
    axis="calibration",
    title="Brier score after temperature scaling",
    convention="brier of softmax(logits / T): the sum over all classes, in [0, 2]; T fitted on the clean validation split by "
    "NLL, and applied unchanged to test and shifted sets; the interval takes T as given",
    undefined="no temperature between 0.001 and 1000 is best",
    equation="1/n sum_i sum_k (softmax(z_i / T*)_k - 1[y_i = k])^2, T* as in temperature",
    source="Brier 1950; Guo et al. 2017 for T*",
    reads="probabilities",
)
def brier_temperature_scaled(predictions: Predictions, validation: Predictions) -> np.ndarray:
    """sum_k (p_k - 1[label = k])^2 after scaling, (n,)."""
    of = scaled(predictions, validation)
    return np.asarray(np.maximum(of.squares - 2.0 * np.exp(of.log_of_label) + 1.0, 0.0))  # rounding can leave -1e-16
