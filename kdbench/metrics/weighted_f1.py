"""Mean over classes of F1, weighted by how many examples have the class as label."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._class_counts import counts, ratio, shares


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Weighted F1",
    equation="sum_k n_k F1_k / sum_k n_k, n_k labels of class k, F1_k = 2 TP_k / (2 TP_k + FP_k + FN_k)",
    source="scikit-learn f1_score(average='weighted', labels=all classes)",
    reads="decisions",
    convention="weighted by the labels of the slice, so that its weights change from slice to slice; not between precision and "
    "recall; a class without labels has no weight",
    undefined="no labels",
)
def weighted_f1(predictions: Predictions) -> tuple[Cells, Cells]:
    """Columns 1[label = k], 1[label = pred = k] and 1[pred = k], K of each."""
    return counts(predictions)


def finish(means: np.ndarray) -> np.ndarray:
    """F1 of each class times its share of labels, over the share of all labels."""
    hits, labels, decisions = shares(means)
    size = labels + decisions
    f1 = np.divide(2 * hits, size, out=np.zeros_like(hits), where=size > 0)
    return ratio((labels * f1).sum(axis=-1), labels.sum(axis=-1))
