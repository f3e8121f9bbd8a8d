"""The part of the Brier score that the labels alone decide (Murphy 1973)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric


@metric(
    better="none",
    unit="score",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="Brier uncertainty",
    convention="summed over the classes as in brier (two classes: twice the binary value): the score of a forecast that "
    "always gives the shares of the classes; equal for all contenders on one set",
    equation="UNC = sum_k ybar_k (1 - ybar_k) = 1 - sum_k ybar_k^2",
    source="Murphy 1973, A new vector partition of the probability score",
    reads="decisions",
)
def brier_uncertainty(predictions: Predictions) -> Cells:
    """The label of each of n examples: K columns."""
    return Cells(predictions.label, predictions.logits.shape[1])


def finish(means: np.ndarray) -> np.ndarray:
    """(..., K) to (...): sum_k ybar_k (1 - ybar_k)."""
    return np.asarray((means * (means.sum(axis=-1, keepdims=True) - means)).sum(axis=-1))
