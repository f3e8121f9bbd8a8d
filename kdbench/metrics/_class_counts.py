"""Hits, labels and decisions of each class: the marginals of a confusion matrix, without the matrix."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions


def counts(predictions: Predictions) -> tuple[Cells, Cells]:
    """Cells for the columns 1[label = k], 1[label = pred = k] and 1[pred = k], K of each. A label of -1 is no class."""
    classes = predictions.logits.shape[1]
    return Cells(predictions.label, classes, (predictions.correct,)), Cells(predictions.pred, classes)


def shares(means: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Their means (..., 3 K) as (hits, labels, decisions), (..., K) each."""
    labels, hits, decisions = np.split(means, 3, axis=-1)
    return hits, labels, decisions


def mean_ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The mean of part / whole over the classes (last axis) where whole is not 0; NaN where it is 0 for all."""
    present = whole > 0
    ratio = np.divide(part, whole, out=np.zeros(np.shape(part)), where=present)
    count = present.sum(axis=-1)
    return np.asarray(np.divide(ratio.sum(axis=-1), count, out=np.full(count.shape, np.nan), where=count > 0))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The ratio, NaN where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))


def remarks(predictions: Predictions) -> str:
    """What a reader must know of the labels and decisions: classes without labels, or one decision for all; else ""."""
    label, pred, classes = predictions.label, predictions.pred, predictions.logits.shape[1]
    names = [*predictions.classes, *map(str, range(len(predictions.classes), classes))]
    absent = np.flatnonzero(np.bincount(label[label >= 0], minlength=classes) == 0)
    said = []
    if len(absent):
        more = f" and {len(absent) - 10} more" if len(absent) > 10 else ""
        said.append(f"no labels of {', '.join(names[k] for k in absent[:10])}{more}")
    if len(pred) > 1 and (pred == pred[0]).all():
        said.append(f"constant predictions: every decision is {names[pred[0]]}")
    return "; ".join(said)
