"""Correlation of labels and decisions (Matthews 1975; several classes: Gorodkin 2004)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._class_counts import counts, shares

LEAST = 1e-12
"""Products of variances below this are rounding: labels or decisions are all of one class."""


@metric(
    better="higher",
    unit="correlation",
    low=-1.0,
    high=1.0,
    axis="quality",
    title="MCC",
    equation="(c - sum_k t_k p_k) / sqrt((1 - sum_k t_k^2) (1 - sum_k p_k^2)), c accuracy, t_k and p_k shares of labels and "
    "decisions",
    source="Gorodkin 2004 (R_K); Matthews 1975; scikit-learn matthews_corrcoef",
    reads="decisions",
    convention="several classes: Gorodkin's R_K, whose least value is above -1 with more than two classes; undefined, where "
    "scikit-learn says 0, if all labels or all decisions are of one class; also called phi for two classes",
    undefined="one class only among the labels or the decisions",
)
def mcc(predictions: Predictions) -> tuple[Cells, Cells]:
    """Columns 1[label = k], 1[label = pred = k] and 1[pred = k], K of each."""
    return counts(predictions)


def finish(means: np.ndarray) -> np.ndarray:
    """Covariance over the root of the variances. Examples without a label (-1) are a class of their own, never decided."""
    hits, labels, decisions = shares(means)
    covariance = hits.sum(axis=-1) - (labels * decisions).sum(axis=-1)
    without = 1 - labels.sum(axis=-1)
    of_labels = 1 - (labels**2).sum(axis=-1) - without**2
    of_decisions = 1 - (decisions**2).sum(axis=-1)
    product = np.where((of_labels > LEAST) & (of_decisions > LEAST), of_labels * of_decisions, np.nan)
    return np.asarray(np.clip(covariance / np.sqrt(product), -1.0, 1.0))
