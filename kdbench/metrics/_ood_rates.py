"""The false positive rate of a detector that is set to catch 95 %, at thresholds of its scores."""

from __future__ import annotations

from typing import Literal

import numpy as np


def fpr95(
    known: np.ndarray,
    foreign: np.ndarray,
    weights: np.ndarray | None,
    ood_weights: np.ndarray | None,
    positive: Literal["id", "ood"],
) -> np.ndarray | float:
    """The rate for scores of in-distribution (n,) and foreign inputs (m,), high: in-distribution; of all draws where weights
    (draws, n) and ood_weights (draws, m) are given. positive: the side of which at least 95 % is caught.
    """
    of_known = np.ones((1, len(known))) if weights is None else weights
    of_foreign = np.ones((1, len(foreign))) if ood_weights is None else ood_weights
    if not len(known) or not len(foreign):
        return np.full(len(of_known), np.nan) if weights is not None else float("nan")
    sides = (known, of_known, foreign, of_foreign) if positive == "id" else (-foreign, of_foreign, -known, of_known)
    rate = _rate(*sides)
    return rate if weights is not None else float(rate[0])


def _rate(hit: np.ndarray, of_hit: np.ndarray, miss: np.ndarray, of_miss: np.ndarray) -> np.ndarray:
    """FPR at the strictest threshold with a TPR of at least 0.95, (draws,); NaN where a draw holds none of one side.

    hit (n,), of_hit (draws, n): scores (high: positive) and weights of the positives; miss (m,), of_miss (draws, m): negatives.
    """
    order, down = np.argsort(-hit, kind="stable"), np.argsort(-miss, kind="stable")
    taken = np.cumsum(of_hit.take(order, axis=1), axis=1, dtype=np.float64)
    enough = 20.0 * taken >= 19.0 * taken[:, -1:]  # exact for whole weights, where 0.95 n is not
    threshold = hit[order][np.argmax(enough, axis=1)]
    count = np.searchsorted(-miss[down], -threshold, side="right")  # negatives that score at least the threshold
    passed = np.zeros((len(of_miss), len(miss) + 1))
    np.cumsum(of_miss.take(down, axis=1), axis=1, out=passed[:, 1:])
    held = (passed[:, -1] > 0) & (taken[:, -1] > 0)
    accepted = np.take_along_axis(passed, count[:, None], axis=1)[:, 0]
    return np.asarray(np.divide(accepted, passed[:, -1], out=np.full(len(held), np.nan), where=held))
