"""AUROC and AUPRC of every class against the rest: the scores, and one sort of each class for both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kdbench import Predictions, Undefined, precision_influence, ranking, roc_area, roc_influence, step_precision

HALF = float(np.log(0.5))
KEPT = "one_vs_rest"
"""Where the areas are kept beside the properties of predictions: two metrics and their influences share them."""


@dataclass(frozen=True, slots=True)
class Areas:
    """Means over the classes: the area under each curve, and the influence (n,) of each example on it."""

    roc: float
    precision: float
    roc_influence: np.ndarray
    precision_influence: np.ndarray


def areas(predictions: Predictions) -> Areas:
    """The areas of these predictions, computed once. Raises Undefined with fewer than two classes among the labels."""
    if KEPT not in predictions.__dict__:
        predictions.__dict__[KEPT] = _areas(predictions)
    kept: Areas = predictions.__dict__[KEPT]
    return kept


def _areas(predictions: Predictions) -> Areas:
    n = len(predictions.label)
    roc = precision = 0.0
    of_roc, of_precision = np.zeros(n), np.zeros(n)
    count = 0
    for score, positive in one_vs_rest(predictions):
        of = ranking(score, positive)
        roc += roc_area(of)
        precision += step_precision(of)
        of_roc += roc_influence(of)
        of_precision += precision_influence(of)
        count += 1
    of_roc /= count
    of_precision /= count
    return Areas(roc / count, precision / count, of_roc, of_precision)


def one_vs_rest(predictions: Predictions) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(score (n,), positive (n,)): of two classes the positive one (else class 1), of more each one among the labels.

    Raises Undefined with fewer than two classes among the labels, or examples without one.
    """
    count = predictions.logits.shape[1]
    held = np.bincount(predictions.label + 1, minlength=count + 1)
    if held[0]:
        raise Undefined(f"{held[0]} of {len(predictions.label)} examples have no label")
    present = np.flatnonzero(held[1:])
    if len(present) < 2:
        raise Undefined(f"one class only among {len(predictions.label)} labels")
    one = predictions.positive if predictions.positive is not None else 1
    for k in [one] if count == 2 else present:
        yield _score(predictions, int(k)), predictions.label == k


def _score(predictions: Predictions, k: int) -> np.ndarray:
    """What ranks as p_k does: log p_k up to p_k = 1/2, and above it log 1/2 plus the log-odds, which do not saturate near 1.

    Where probabilities were given it is log p_k as given: their ties are real. Rounded to 9 decimals, far finer than float32
    logits, so that equal scores stay tied whatever the order of the other classes.
    """
    if predictions.kind == "probabilities":
        return np.asarray(predictions.logits[:, k])
    score = predictions.log_probability[:, k].copy()
    large = np.flatnonzero(score > HALF)
    score[large] = HALF + _log_odds(predictions.logits[large].astype(np.float64), k)
    return np.asarray(np.round(score, 9, out=score))


def _log_odds(z: np.ndarray, k: int) -> np.ndarray:
    """z_k - logsumexp_{j != k} z_j, (rows,): the others are summed on a scale of their own, as 1 - p_k would cancel."""
    mine = z[:, k].copy()
    z[:, k] = -np.inf
    second = z.max(axis=1)
    z -= second[:, None]
    return np.asarray(mine - second - np.log(np.exp(z).sum(axis=1)))
