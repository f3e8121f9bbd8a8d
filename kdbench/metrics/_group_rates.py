"""Rates of decisions within groups, of the positive class or of each class against the rest, and how groups compare in them.

Everything is vectorised over leading axes (bootstrap draws). What has no meaning is NaN, never 0.
"""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions


def decided(predictions: Predictions) -> Cells:
    """Which class was decided for: one cell where a class is positive, else one for each class."""
    if predictions.positive is None:
        return Cells(predictions.pred, predictions.logits.shape[1])
    return Cells(np.where(predictions.pred == predictions.positive, 0, -1), 1)


def confusion(predictions: Predictions) -> tuple[Cells, ...]:
    """Columns for `rates`: of a positive class its true and false negatives and positives (4); else of each class 1[label = k],
    1[label = pred = k] and 1[pred = k, wrong] (3 K). Nothing is found as a small difference of large shares.
    """
    if predictions.positive is not None:
        label, pred = predictions.label == predictions.positive, predictions.pred == predictions.positive
        return (Cells(2 * label.astype(np.int64) + pred, 4),)
    count, hit = predictions.logits.shape[1], predictions.correct
    return Cells(predictions.label, count, (hit,)), Cells(np.where(hit, -1, predictions.pred), count)


def rates(means: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True and false positive rates (..., G, C), and which classes there are (..., C): those that some group has a label of.

    means (..., G, d): of the columns of `confusion` within groups. A rate is NaN where a group has no positives, or no negatives.
    """
    if means.shape[-1] == 4:
        rejected, false, missed, true = (means[..., k : k + 1] for k in range(4))
        return _share(true, missed + true), _share(false, rejected + false), np.ones((*means.shape[:-2], 1), dtype=bool)
    label, true, false = np.split(means, 3, axis=-1)
    return _share(true, label), _share(false, _others(label)), np.asarray((label > 0).any(axis=-2))


def _others(label: np.ndarray) -> np.ndarray:
    """The sum over all other classes, (..., K): from both ends, because 1 - label would lose the digits of a small rest."""
    nothing = np.zeros_like(label[..., :1])
    below = np.cumsum(label[..., :-1], axis=-1)
    above = np.cumsum(label[..., :0:-1], axis=-1)[..., ::-1]
    return np.asarray(np.concatenate([nothing, below], axis=-1) + np.concatenate([above, nothing], axis=-1))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))


def gap(rate: np.ndarray) -> np.ndarray:
    """Largest minus smallest over the groups, (..., G, C) -> (..., C); NaN with fewer than two groups, or one without a rate."""
    if rate.shape[-2] < 2:
        return np.full((*rate.shape[:-2], rate.shape[-1]), np.nan)
    return np.asarray(rate.max(axis=-2) - rate.min(axis=-2))


def spread(rate: np.ndarray, there: np.ndarray | None = None) -> np.ndarray:
    """The rates less their mean over the groups, (..., G, C) -> (..., C, G): the deviations of which `gap` is the range. 0 for a
    class that is not there.
    """
    off = np.swapaxes(rate - rate.mean(axis=-2, keepdims=True), -1, -2)
    return off if there is None else np.asarray(np.where(there[..., None], off, 0.0))


def spread_of_logarithms(rate: np.ndarray, there: np.ndarray | None = None) -> np.ndarray:
    """The same of the logarithms: minus the logarithm of `quotient` is their range. Not finite where a rate is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return spread(np.log(rate), there)


def width(off: np.ndarray) -> np.ndarray:
    """The range over the groups of what `spread` gives, (..., C, G) -> (..., C)."""
    return np.asarray(np.ptp(off, axis=-1))


def quotient(rate: np.ndarray) -> np.ndarray:
    """Smallest over largest of the groups, (..., G, C) -> (..., C); NaN as in `gap`, and where all are 0."""
    if rate.shape[-2] < 2:
        return np.full((*rate.shape[:-2], rate.shape[-1]), np.nan)
    return _share(rate.min(axis=-2), rate.max(axis=-2))


def largest(values: np.ndarray, there: np.ndarray | None = None) -> np.ndarray:
    """The largest over the classes that are there, (..., C) -> (...); NaN where one of them is, or where there is none."""
    found = (values if there is None else np.where(there, values, -np.inf)).max(axis=-1)
    return np.where(np.isneginf(found), np.nan, found)


def smallest(values: np.ndarray, there: np.ndarray | None = None) -> np.ndarray:
    """The smallest, likewise."""
    return -largest(-values, there)
