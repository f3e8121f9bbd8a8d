"""Area under the ROC curve of the class scores."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, area_under_curve, metric

from ._class_counts import remarks
from ._one_vs_rest import areas, one_vs_rest


@metric(
    form="set",
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="AUROC",
    equation="A_k = P(s_i > s_j) + P(s_i = s_j) / 2, i of class k, j of another; mean over k",
    source="Hanley and McNeil 1982; influence: DeLong, DeLong and Clarke-Pearson 1988; scikit-learn roc_auc_score",
    reads="probabilities",
    convention="two classes: of the positive class (else class 1); more: unweighted mean of one-vs-rest over the classes among "
    "the labels, not one-vs-one and not weighted by support; ties count half; ranked by log-odds, so that probabilities "
    "which round to 1 do not tie",
    undefined="one class only",
)
def auroc(predictions: Predictions, weights: np.ndarray | None = None) -> np.ndarray | float:
    """P(score of a positive > score of a negative) + P(tie) / 2. weights (draws, n) gives (draws,).

    A class that a draw does not hold is left out of that draw. Raises Undefined with one class only.
    """
    if weights is None:
        return areas(predictions).roc
    found = np.stack([area_under_curve(score, positive, weights) for score, positive in one_vs_rest(predictions)])
    known = np.isfinite(found)
    total = np.where(known, found, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, known.sum(axis=0), out=np.full(total.shape, np.nan), where=known.any(axis=0)))


def influence(predictions: Predictions) -> np.ndarray:
    """DeLong's structural components less the area, over the share of their side, (n,): mean 0; mean over the classes."""
    return areas(predictions).roc_influence


def note(predictions: Predictions) -> str:
    """Which classes the mean leaves out, and whether all decisions are the same."""
    return remarks(predictions)
