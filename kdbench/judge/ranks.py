"""Areas under the ROC and the precision-recall curve: for one set, for many draws at once, and their influence functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEP = 256
"""Positives whose products are summed in the precision of the weights before float64 takes over."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """A scored set of positives and negatives in ascending order. One sort serves every area and influence.

    Areas change at the distinct scores of positives only, so all that follows is about those, ascending, (m,).
    order int (n,): the rows, ascending. place int (P,): where in `order` the positives stand. inside: positives that have the
    score; below: positives that have a lower one; beaten: negatives that have a lower one; level: negatives that have the same.
    """

    order: np.ndarray
    place: np.ndarray
    inside: np.ndarray
    below: np.ndarray
    beaten: np.ndarray
    level: np.ndarray

    @property
    def sides(self) -> tuple[int, int]:
        """The numbers of positives and of negatives."""
        return len(self.place), len(self.order) - len(self.place)

    def rows(self, of_positives: np.ndarray, of_level: np.ndarray, of_others: np.ndarray) -> np.ndarray:
        """Values of the rows, (n,), from those of the positives (m,), of negatives level with them (m,), and of the negatives
        below, between and above them (m + 1,).
        """
        low = self.beaten + self.below
        high = low + self.inside + self.level
        edges = np.concatenate([[0], np.stack([low, high], axis=1).ravel(), [len(self.order)]])
        cells = np.empty(2 * len(low) + 1)
        cells[0::2], cells[1::2] = of_others, of_level
        ascending = np.repeat(cells, np.diff(edges))
        ascending[self.place] = np.repeat(of_positives, self.inside)
        found = np.empty(len(ascending))
        found[self.order] = ascending
        return found


def ranking(score: np.ndarray, positive: np.ndarray) -> Ranking:
    """Sort scores (n,), of which `positive` bool (n,) belong to the positives."""
    order = np.argsort(score)
    held = score[order]
    place = np.flatnonzero(positive[order])
    of_positives = held[place]
    new = np.ones(len(place), dtype=bool)
    new[1:] = of_positives[1:] != of_positives[:-1]
    below = np.flatnonzero(new)
    inside = np.diff(below, append=len(place))
    distinct = of_positives[below]
    low, high = np.searchsorted(held, distinct, side="left"), np.searchsorted(held, distinct, side="right")
    return Ranking(order, place, inside, below, low - below, high - low - inside)


def roc_area(of: Ranking) -> float:
    """P(a positive scores above a negative) + P(tie) / 2, from the mean ranks of ties; NaN without one or the other."""
    positives, negatives = of.sides
    if not positives or not negatives:
        return float("nan")
    return float(of.inside @ (of.beaten + of.level / 2)) / positives / negatives


def roc_influence(of: Ranking) -> np.ndarray:
    """The influence (n,) of each row on `roc_area`: the structural components of DeLong et al. (1988), less the area.

    A positive i has V10_i = share of negatives that it beats (ties half), and (V10_i - A) n / P; a negative j has V01_j =
    share of positives that beat it, and (V01_j - A) n / N. NaN without one or the other.
    """
    positives, negatives = of.sides
    n = len(of.order)
    if not positives or not negatives:
        return np.full(n, np.nan)
    area = roc_area(of)
    won = ((of.beaten + of.level / 2) / negatives - area) * (n / positives)
    level = (1 - (of.below + of.inside / 2) / positives - area) * (n / negatives)
    others = (1 - np.append(of.below, positives) / positives - area) * (n / negatives)
    return of.rows(won, level, others)


def step_precision(of: Ranking) -> float:
    """Average precision: the mean over the positives of the precision among all rows that score at least as high.

    sum_t (R_t - R_{t-1}) P_t over the distinct scores t, without interpolation (scikit-learn); NaN without one side.
    """
    positives, negatives = of.sides
    if not positives or not negatives:
        return float("nan")
    taken = len(of.order) - (of.beaten + of.below)
    return float(of.inside @ ((positives - of.below) / taken)) / positives


def precision_influence(of: Ranking) -> np.ndarray:
    """The influence (n,) of each row on `step_precision`, AP = sum_i w_i T_i / (T_i + F_i) / P over the positives i.

    T_i, F_i: positives and negatives that score at least s_i. Of a positive j, (T_j / (T_j + F_j) - AP + sum F_i /
    (T_i + F_i)^2) n / P, and of a negative -(sum T_i / (T_i + F_i)^2) n / P, sums over the positives i with s_i <= s_j.
    """
    positives, negatives = of.sides
    n = len(of.order)
    if not positives or not negatives:
        return np.full(n, np.nan)
    taken = (n - (of.beaten + of.below)).astype(np.float64)
    true = positives - of.below
    share = of.inside / taken**2
    gain = true / taken - step_precision(of) + np.cumsum(share * (taken - true))
    loss = np.concatenate([[0.0], np.cumsum(share * true)]) * (-n / positives)
    return of.rows(gain * (n / positives), loss[1:], loss)


def area_under_curve(score: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """P(a positive scores above a negative) + P(tie) / 2, which is the area under the ROC curve (Hanley and McNeil 1982).

    score (n,), positive bool (n,), weights (draws, n), default one draw of ones. Gives (draws,), NaN where a draw holds no
    positive or no negative. Cost: one sort, and one cumulative sum over the negatives for all draws.
    """
    of = ranking(score, positive)
    if weights is None:
        return np.array([roc_area(of)])
    of_positives, of_negatives = _sorted(of, weights)
    negatives_upto = _upto(of_negatives)
    low = np.repeat(of.beaten, of.inside)
    area = _products(of_positives, negatives_upto.take(low, axis=1))
    if of.level.any():
        area = (area + _products(of_positives, negatives_upto.take(low + np.repeat(of.level, of.inside), axis=1))) / 2
    pairs = of_positives.sum(axis=1, dtype=np.float64) * negatives_upto[:, -1]
    return np.asarray(np.divide(area, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))


def average_precision(score: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The step-wise area under the precision-recall curve (`step_precision`), as scikit-learn's average_precision_score.

    score (n,), positive bool (n,), weights (draws, n), default one draw of ones. Gives (draws,), NaN where a draw holds no
    positive or no negative. Tied scores are one threshold, so that the order of rows does not matter.
    """
    of = ranking(score, positive)
    if weights is None:
        return np.array([step_precision(of)])
    of_positives, of_negatives = _sorted(of, weights)
    positives_upto, negatives_upto = _upto(of_positives), _upto(of_negatives)
    true = positives_upto[:, -1:] - positives_upto.take(np.repeat(of.below, of.inside), axis=1)
    both = true + negatives_upto[:, -1:] - negatives_upto.take(np.repeat(of.beaten, of.inside), axis=1)
    precision = np.divide(true, both, out=np.zeros_like(true), where=both > 0)
    total = of_positives.sum(axis=1, dtype=np.float64)
    found = _products(of_positives, precision)
    known = (total > 0) & (negatives_upto[:, -1] > 0)
    return np.asarray(np.divide(found, total, out=np.full(len(total), np.nan), where=known))


def _sorted(of: Ranking, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights (draws, ...) of the positives and of the negatives, in ascending order of their scores."""
    negative = np.ones(len(of.order), dtype=bool)
    negative[of.place] = False
    return weights.take(of.order[of.place], axis=1), weights.take(of.order[negative], axis=1)


def _upto(weights: np.ndarray) -> np.ndarray:
    """Sums of the first 0, 1, ... columns, (draws, columns + 1): exact for whole weights that sum to less than 2**24."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1), dtype=weights.dtype)
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The row sums of a * b; the partial sums of float32 are short, and are added up in float64."""
    starts = range(0, max(1, a.shape[1]), STEP)
    return np.asarray(sum(np.einsum("bp,bp->b", a[:, s : s + STEP], b[:, s : s + STEP]).astype(np.float64) for s in starts))
