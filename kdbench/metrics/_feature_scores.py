"""How much an input looks like the validation examples, by its features: the scores of detectors of foreign inputs.

Higher: more in-distribution. Both read the last tap and are fitted on the validation split alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np

from kdbench import Predictions, Undefined

Taps: TypeAlias = "Mapping[str, np.ndarray]"
Detector: TypeAlias = Literal["knn", "mahalanobis"]
DIGITS = 12
"""Decimals of a squared distance between vectors of length 1 that are kept: what differs by rounding alone is tied."""
EPS = 2.0**-23
"""The resolution of float32, in which features are stored."""
CELLS = 8_000_000
"""Distances that are held at once (8 bytes each)."""


def scores(sets: tuple[Taps, Taps], validation: Predictions, known: Taps, score: Detector, k: int) -> list[np.ndarray]:
    """The score of every row of both sets (test, companion), each (n,). known: the features of the `validation` rows."""
    fitted = _last(known).astype(np.float64)
    asked = [_last(taps).astype(np.float64) for taps in sets]
    if any(len(rows) == 0 for rows in asked):
        raise Undefined("no examples on one side")
    if score == "knn":
        _few_enough(k, np.asarray(validation.label))
        return [nearest(rows, fitted, k) for rows in asked]
    return mahalanobis(asked, fitted, np.asarray(validation.label))


def _few_enough(k: int, label: np.ndarray) -> None:
    """Raises Undefined where the k-th neighbour of an example of a mean class must be of another class: such a distance tells
    how far apart classes are, not whether an input is foreign.
    """
    count = np.unique(label[label >= 0], return_counts=True)[1]
    if len(count) and k > count.mean():
        most = int(count.mean())
        raise Undefined(f"k = {k}, and validation has {count.mean():.3g} examples a class: choose k of at most {most}")


def nearest(rows: np.ndarray, bank: np.ndarray, k: int) -> np.ndarray:
    """-||z - z_(k)||^2, (n,): z = x / ||x||, z_(k) the k-th nearest of the bank (Sun et al. 2022, whose threshold is on
    the distance itself: the order is the same). A vector of zeros stays one. Raises Undefined for a bank of fewer than k.
    """
    if len(bank) < k:
        raise Undefined(f"{len(bank)} validation examples, fewer than k = {k}")
    known = _unit(bank)
    found = []
    step = max(1, CELLS // len(known))
    for start in range(0, len(rows), step):
        z = _unit(rows[start : start + step])
        squared = np.square(z).sum(axis=1)[:, None] + np.square(known).sum(axis=1) - 2 * (z @ known.T)
        found.append(np.partition(squared, k - 1, axis=1)[:, k - 1])
    return np.asarray(-np.round(np.maximum(np.concatenate(found), 0.0), DIGITS))


def mahalanobis(sets: list[np.ndarray], known: np.ndarray, label: np.ndarray) -> list[np.ndarray]:
    """max_c -(x - mu_c)' S^+ (x - mu_c), each (n,): mu_c the mean of class c, S the tied covariance
    1/n sum_c sum_(i in c) (x_i - mu_c)(x_i - mu_c)' (Lee et al. 2018, eq. 1 and 2). Rows without a label are left out.

    S^+ is the pseudo-inverse: directions whose spread within classes is below p 2^-23 of the widest hold only the rounding of
    float32 and count for nothing. Raises Undefined for fewer examples beyond the classes than there are features that vary.
    """
    known, label = known[label >= 0], label[label >= 0]
    classes, place = np.unique(label, return_inverse=True)
    if not len(classes):
        raise Undefined("no validation example has a label")
    centre, largest = known.mean(axis=0), np.abs(known).max(axis=0)
    known = known - centre
    means = np.stack([known[place == c].mean(axis=0) for c in range(len(classes))])
    within = known - means[place]
    vary = int((np.ptp(within, axis=0) > EPS * largest).sum())
    free = len(known) - len(classes)
    if free < vary or not vary:
        raise Undefined(f"{len(known)} validation examples of {len(classes)} classes are too few for {vary} features that vary")
    spread, axes = np.linalg.eigh(within.T @ within / len(known))
    kept = spread > spread[-1] * (len(spread) * EPS) ** 2
    whiten = axes[:, kept] / np.sqrt(spread[kept])
    return [_to_nearest_mean((rows - centre) @ whiten, means @ whiten) for rows in sets]


def _to_nearest_mean(rows: np.ndarray, means: np.ndarray) -> np.ndarray:
    step = max(1, CELLS // len(means))
    parts = [rows[start : start + step] for start in range(0, len(rows), step)]
    cross = [(np.square(means).sum(axis=1) - 2 * (part @ means.T)).min(axis=1) for part in parts]
    return np.asarray(-(np.square(rows).sum(axis=1) + np.concatenate(cross)))


def _last(taps: Taps) -> np.ndarray:
    return list(taps.values())[-1]


def _unit(rows: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, size, out=np.zeros_like(rows), where=size > 0))
