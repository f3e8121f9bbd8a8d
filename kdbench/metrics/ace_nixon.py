"""Adaptive calibration error over all classes (Nixon et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdbench import Cells, Count, Predictions, metric

from ._equal_mass import drawn, moved, table


@metric(
    form="set",
    better="lower",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="ACE (Nixon)",
    convention="every class against the rest, ranges of equally many examples, no threshold (TACE has one); netcal's ACE is "
    "ece_unweighted, torch-uncertainty's adaptive error is ece_equal_mass. Equal probabilities share a range; an empty one is 0",
    undefined="no examples",
    equation="1/(K R) sum_k sum_r |acc(r, k) - conf(r, k)|",
    source="Nixon et al. 2019, Measuring calibration in deep learning, eq. 3",
    reads="probabilities",
)
def ace_nixon(predictions: Predictions, weights: np.ndarray | None = None, *, ranges: Count = 15) -> np.ndarray | float:
    """The mean over classes and ranges of |frequency - mean probability|. weights (draws, n) gives (draws,)."""
    if weights is None:
        return _both(predictions, ranges)[0]
    total = np.zeros(len(weights))
    for p, outcome in _classes(predictions):
        share, signed = drawn(p, outcome, ranges, weights)
        total += np.where(np.isnan(share[:, 0]), np.nan, _gaps(signed, share).sum(axis=1))
    return np.asarray(total / (predictions.logits.shape[1] * ranges))


def influence(predictions: Predictions, *, ranges: Count = 15) -> np.ndarray:
    """What each example adds to the value, (n,), mean 0: through its ranges, and through the edges that its weight moves."""
    return _both(predictions, ranges)[1]


def held(predictions: Predictions, *, ranges: Count = 15) -> Iterator[Cells]:
    """The ranges of each class where they are, with outcome - p over the share of the range and over K R: for an interval that
    holds at 0 too.
    """
    whole = predictions.logits.shape[1] * ranges
    for p, outcome in _classes(predictions):
        of = table(p, outcome, ranges)
        one = np.divide(1.0, of.share * whole, out=np.zeros(ranges), where=of.share > 0).take(of.code)
        yield Cells(of.code, ranges, ((outcome - p) * one,))


def size(of: np.ndarray) -> np.ndarray:
    """The number of the scaled sums of all ranges, (..., K R)."""
    return np.asarray(np.abs(of).sum(axis=-1))


def _both(predictions: Predictions, ranges: int) -> tuple[float, np.ndarray]:
    """Value and influence from one sort of each class, computed once for these predictions."""
    name = f"ace_nixon_{ranges}"
    if name not in predictions.__dict__:
        value, found = 0.0, np.zeros(len(predictions.label))
        for p, outcome in _classes(predictions):
            of = table(p, outcome, ranges)
            value += float(_gaps(of.signed, of.share).sum())
            one = np.divide(1.0, of.share, out=np.zeros(ranges), where=of.share > 0)
            by_sum, by_share = np.sign(of.signed) * one, -np.abs(of.signed) * one**2
            found += by_sum.take(of.code) * (outcome - p) + moved(of, by_sum, by_share)
        whole = predictions.logits.shape[1] * ranges
        predictions.__dict__[name] = value / whole, (found - found.mean()) / whole
    kept: tuple[float, np.ndarray] = predictions.__dict__[name]
    return kept


def _classes(predictions: Predictions) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for k in range(predictions.logits.shape[1]):
        yield np.ascontiguousarray(predictions.probability[:, k]), predictions.label == k


def _gaps(signed: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(np.abs(signed), share, out=np.zeros(share.shape), where=share > 0))
