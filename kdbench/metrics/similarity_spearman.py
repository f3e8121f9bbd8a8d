"""Whether pairs of texts stand in the order in which people put them by their likeness."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, Undefined, metric

from ._cosines import gold, of_pairs


@metric(
    form="set",
    better="higher",
    low=-1.0,
    high=1.0,
    unit="correlation",
    axis="quality",
    title="Spearman of similarity",
    equation="rho = Pearson's r of the ranks of c_i = cos(a_i, b_i) and of g_i, the gold similarity",
    source="Spearman 1904; for embeddings Reimers, Beyer and Gurevych 2016; scipy spearmanr",
    reads="vectors",
    convention="ranks of the cosine of each pair and of its gold similarity, mean ranks for ties (cosines to 12 decimals); ranks "
    "are taken anew in every draw and group; times 1, where leaderboards often show it times 100",
    undefined="all cosines or all gold similarities are equal",
)
def similarity_spearman(predictions: Predictions, weights: np.ndarray | None = None) -> np.ndarray | float:
    """Pearson's r of mean ranks. weights (draws, n) gives (draws,): ranks among the copies of each draw, NaN where a draw holds
    one value only. Raises NotApplicable without pairs and their gold similarity, Undefined where all are equal.
    """
    sides = (of_pairs(predictions), gold(predictions))
    n = len(sides[0])
    w = np.ones((1, n)) if weights is None else weights.astype(np.float64)
    size = np.where(w.any(axis=1), w.sum(axis=1), np.nan)[:, None]
    x, y = (_ranks(side, w) - (size + 1) / 2 for side in sides)  # the mean of mean ranks is (size + 1) / 2
    xx, yy, xy = (np.einsum("dn,dn,dn->d", w, a, b) for a, b in ((x, x), (y, y), (x, y)))
    known = (xx > 0) & (yy > 0)
    rho = np.full(len(w), np.nan)
    np.divide(xy, np.sqrt(np.where(known, xx * yy, 1.0)), out=rho, where=known)
    rho = np.clip(rho, -1.0, 1.0)
    if weights is not None:
        return np.asarray(rho)
    if np.isnan(rho[0]):
        raise Undefined(f"all cosines or all gold similarities of {n} pairs are equal")
    return float(rho[0])


def _ranks(values: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Mean ranks (draws, n) of values (n,) of which each draw holds w (draws, n) copies: the copies below, and half of the
    copies that are equal and one.
    """
    levels, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    first = np.flatnonzero(np.diff(place[order], prepend=-1))
    held = np.add.reduceat(w[:, order], first, axis=1) if len(levels) else w
    rank = np.cumsum(held, axis=1) - held + (held + 1) / 2
    return np.asarray(rank[:, place])
