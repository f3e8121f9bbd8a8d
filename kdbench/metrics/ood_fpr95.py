"""Errors of a detector of foreign inputs that is set to keep (or to catch) 95 %."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Predictions, metric


@metric(
    form="set",
    better="lower",
    low=0.0,
    high=1.0,
    axis="ood",
    title="OOD FPR95",
    convention="positive=id: share of foreign inputs accepted when at least 95 % of in-distribution inputs are (Liang 2018); "
    "positive=ood: share of in-distribution inputs flagged when at least 95 % of foreign inputs are (Hendrycks 2017, "
    "OpenOOD 1.5); tied scores fall on one side together",
)
def ood_fpr95(
    predictions: Predictions,
    ood: Predictions,
    weights: np.ndarray | None = None,
    ood_weights: np.ndarray | None = None,
    *,
    score: Literal["msp", "energy"] = "msp",
    positive: Literal["id", "ood"] = "id",
) -> np.ndarray | float:
    """The false positive rate at the strictest threshold with a true positive rate of at least 0.95, of one set or all draws."""
    known, foreign = _score(predictions, score), _score(ood, score)
    of_known = np.ones((1, len(known))) if weights is None else weights
    of_foreign = np.ones((1, len(foreign))) if ood_weights is None else ood_weights
    sides = (known, of_known, foreign, of_foreign) if positive == "id" else (-foreign, of_foreign, -known, of_known)
    rate = _rate(*sides)
    return rate if weights is not None else float(rate[0])


def _rate(hit: np.ndarray, of_hit: np.ndarray, miss: np.ndarray, of_miss: np.ndarray) -> np.ndarray:
    """Rates (draws,). hit (n,), of_hit (draws, n): scores (high: positive) and weights of the positives; miss: the negatives."""
    order = np.argsort(-hit, kind="stable")
    taken = np.cumsum(of_hit.take(order, axis=1), axis=1)
    enough = 20.0 * taken >= 19.0 * taken[:, -1:]  # exact for whole weights, where 0.95 n is not
    threshold = hit[order][np.argmax(enough, axis=1)]
    down = np.argsort(-miss, kind="stable")
    count = np.searchsorted(-miss[down], -threshold, side="right")  # negatives that score at least the threshold
    passed = np.cumsum(of_miss.take(down, axis=1), axis=1)
    accepted = np.where(count > 0, passed[np.arange(len(count)), count - 1], 0.0)
    return np.asarray(accepted / passed[:, -1])


def _score(predictions: Predictions, name: str) -> np.ndarray:
    z = predictions.logits.astype(np.float64)
    top = z.max(axis=1)
    rest = np.log(np.exp(z - top[:, None]).sum(axis=1))
    return np.asarray(top + rest if name == "energy" else -rest)
