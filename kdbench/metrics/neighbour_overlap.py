"""Whether a text has the same neighbours as with the teacher."""

from __future__ import annotations

import numpy as np

from kdbench import Count, Predictions, Undefined, metric

from ._cosines import blocks, few_enough, unit


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="fidelity",
    title="Neighbours shared with the teacher",
    equation="mean over i of |N_S(i) and N_T(i)| / k, N(i) the k nearest of i among all other rows",
    source="Klabunde et al. 2023, Similarity of Neural Network Models (k-NN; there as Jaccard of the two sets)",
    reads="vectors",
    convention="share of k, not Jaccard (which is s / (2 - s) of one row); nearest by cosine, of pairs the first texts among "
    "each other; of tied rows (to 12 decimals) the earlier ones on both sides; by chance k / (n - 1), so compare it"
    " only at equal n and k; the neighbours are sought among all rows in every draw and group",
)
def neighbour_overlap(predictions: Predictions, teacher: Predictions, *, k: Count = 10) -> np.ndarray:
    """The share of the k nearest in common, (n,). Undefined for fewer than k other rows."""
    n = len(predictions.ids)
    few_enough(n)
    if n - 1 < k:
        raise Undefined(f"{max(n - 1, 0)} other rows, fewer than k = {k}")
    sides = unit(predictions.logits), unit(teacher.logits, "the teacher")
    found = np.zeros(n)
    for (of, ours), (_, theirs) in zip(*(blocks(rows, rows) for rows in sides), strict=True):
        found[of] = (_nearest(ours, of.start, k) & _nearest(theirs, of.start, k)).sum(axis=1) / k
    return found


def _nearest(score: np.ndarray, first: int, k: int) -> np.ndarray:
    """Which of the rows are the k nearest, bool (b, n): those above the k-th score, and the first of those that have it."""
    own = np.arange(len(score))
    score[own, own + first] = -np.inf
    last = np.partition(score, -k, axis=1)[:, -k][:, None]
    above, tied = score > last, score == last
    room = k - above.sum(axis=1, keepdims=True)
    return np.asarray(above | (tied & (np.cumsum(tied, axis=1) <= room)))
