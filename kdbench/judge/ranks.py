"""The area under the ROC curve, for one set of weights or for many draws at once."""

from __future__ import annotations

import numpy as np

STEP = 256
"""Positives whose products are summed in the precision of the weights before float64 takes over."""


def area_under_curve(score: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """P(a positive scores above a negative) + P(tie) / 2, which is the area under the ROC curve (Hanley and McNeil 1982).

    score (n,), positive bool (n,), weights (draws, n), default one draw of ones. Gives (draws,), NaN where a draw holds no
    positive or no negative. Cost: one cumulative sum over the negatives for all draws.
    """
    draws = np.ones((1, len(score))) if weights is None else weights
    negative, mine = np.flatnonzero(~positive), np.flatnonzero(positive)
    negative = negative[np.argsort(score[negative], kind="stable")]
    below = np.zeros((len(draws), len(negative) + 1), dtype=draws.dtype)
    np.cumsum(draws.take(negative, axis=1), axis=1, out=below[:, 1:])
    strictly = np.searchsorted(score[negative], score[mine], side="left")
    at_most = np.searchsorted(score[negative], score[mine], side="right")
    of_positives = draws.take(mine, axis=1)
    area = _products(of_positives, below.take(strictly, axis=1))
    if not np.array_equal(strictly, at_most):
        area = (area + _products(of_positives, below.take(at_most, axis=1))) / 2
    pairs = of_positives.sum(axis=1, dtype=np.float64) * below[:, -1]
    return np.asarray(np.divide(area, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The row sums of a * b; the partial sums of float32 are short, and are added up in float64."""
    starts = range(0, max(1, a.shape[1]), STEP)
    return np.asarray(sum(np.einsum("bp,bp->b", a[:, s : s + STEP], b[:, s : s + STEP]).astype(np.float64) for s in starts))
