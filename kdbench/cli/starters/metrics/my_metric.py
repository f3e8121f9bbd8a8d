"""A number for the board: `axes: [accuracy, {my_metric: {k: 2}}]`. A new metric judges stored evidence; no model is run again."""

from __future__ import annotations

import numpy as np

from kdbench import Count, Predictions, metric


# form="mean": one value per example; kdbench averages, resamples, and compares groups, shifts and the teacher.
@metric(better="higher", unit="fraction", low=0, high=1, form="mean", convention="ties count as found", title="Top-k accuracy")
def my_metric(predictions: Predictions, *, k: Count = 2) -> np.ndarray:
    """Whether the label is among the k largest logits: (n,) of 0 and 1."""
    label = np.take_along_axis(predictions.logits, predictions.label[:, None], axis=1)
    larger = (predictions.logits > label).sum(axis=1)
    return np.asarray(larger < k, dtype=np.float64)
