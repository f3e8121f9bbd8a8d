"""Unweighted mean over classes of F1 = 2 TP / (2 TP + FP + FN)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Macro F1",
    convention="mean over the classes that occur among labels or predictions of the slice (scikit-learn: "
    "labels=all classes, zero_division=nan)",
    undefined="no examples",
)
def macro_f1(predictions: Predictions) -> np.ndarray:
    """Columns (n, 2 K): of each class 1[label = pred = k], then 1[label = k] + 1[pred = k] (its sum is 2 TP + FP + FN)."""
    classes = np.arange(predictions.logits.shape[1])
    label = predictions.label[:, None] == classes
    pred = predictions.pred[:, None] == classes
    return np.concatenate([label & pred, label.astype(np.int8) + pred], axis=1).astype(np.float64)


def finish(means: np.ndarray) -> np.ndarray:
    """F1 per class is 2 TP over its denominator; a class with denominator 0 is left out of the mean."""
    hits, size = np.split(means, 2, axis=-1)
    present = size > 0
    f1 = np.divide(2 * hits, size, out=np.zeros_like(hits), where=present)
    count = present.sum(axis=-1)
    return np.asarray(np.divide(f1.sum(axis=-1), count, out=np.full(count.shape, np.nan), where=count > 0))
