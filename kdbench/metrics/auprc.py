"""Area under the precision-recall curve of the class scores: average precision."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, average_precision, metric

from ._class_counts import remarks
from ._one_vs_rest import areas, one_vs_rest


@metric(
    form="set",
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="AUPRC",
    equation="AP_k = sum_t (R_t - R_{t-1}) P_t over the distinct scores t from the largest, R recall and P precision at s >= t; "
    "mean over k",
    source="scikit-learn average_precision_score; Davis and Goadrich 2006 (why not to interpolate)",
    reads="probabilities",
    convention="average precision, step-wise; the trapezoid under the same points is larger and another number; two classes: of "
    "the positive class (else class 1); more: unweighted mean of one-vs-rest over the classes among the labels; a "
    "constant score gives the share of positives, not 0.5",
    undefined="one class only",
)
def auprc(predictions: Predictions, weights: np.ndarray | None = None) -> np.ndarray | float:
    """The mean over the positives of the precision among all that score at least as high. weights (draws, n) gives (draws,).

    A class that a draw does not hold is left out of that draw. Raises Undefined with one class only.
    """
    if weights is None:
        return areas(predictions).precision
    found = np.stack([average_precision(score, positive, weights) for score, positive in one_vs_rest(predictions)])
    known = np.isfinite(found)
    total = np.where(known, found, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, known.sum(axis=0), out=np.full(total.shape, np.nan), where=known.any(axis=0)))


def influence(predictions: Predictions) -> np.ndarray:
    """The derivative with respect to the weight of each example, times n, (n,): mean 0; mean over the classes."""
    return areas(predictions).precision_influence


def note(predictions: Predictions) -> str:
    """Which classes the mean leaves out, and whether all decisions are the same."""
    return remarks(predictions)
