"""A number for the board: `axes: [accuracy, {my_metric: {k: 2}}]`. A new metric judges stored evidence; no model is run again.

It judges files made elsewhere too: `kdbench judge student.parquet --plugins DIR --axes my_metric`.
"""

from __future__ import annotations

import numpy as np

from kdbench import Count, Predictions, metric


# form="mean": one value per example; kdbench averages, resamples, and compares groups, shifts and the teacher.
# reads: the least that must be known of an example ("decisions", "probabilities", "logits"; "values" of a regression).
# version: raise it when the number changes. `kdbench show metric my_metric` prints all of it.
@metric(
    better="higher",
    unit="fraction",
    low=0,
    high=1,
    form="mean",
    axis="quality",
    title="Surely among k",
    equation="(1/n) sum_i 1[#{j: z_ij >= z_iy} <= k]",
    source="scikit-learn top_k_accuracy_score, where no logits are equal",
    convention="ties count against the label; the built-in top_k_accuracy breaks them by the order of the classes",
    reads="probabilities",
    version=1,
)
def my_metric(predictions: Predictions, *, k: Count = 2) -> np.ndarray:
    """Whether the label is among the k largest logits whatever the order of equal ones: (n,) of 0 and 1."""
    label = np.take_along_axis(predictions.logits, predictions.label[:, None], axis=1)
    at_least = (predictions.logits >= label).sum(axis=1)
    return np.asarray(at_least <= k, dtype=np.float64)
