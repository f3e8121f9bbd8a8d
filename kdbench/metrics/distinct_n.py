"""Diversity of what a model writes: the share of its n-grams that are different."""

from __future__ import annotations

import numpy as np

from kdbench import Count, Predictions, Undefined, metric

from ._written import written

BLOCK = 4_000_000
"""Numbers that are held at once."""


@metric(
    form="set",
    better="none",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Distinct n-grams",
    equation="|set of n-grams of all texts| / number of n-grams of all texts",
    source="Li et al. 2016 (distinct-1, distinct-2)",
    reads="texts",
    convention="over the whole set, not the mean over texts: it falls as the set grows, so compare sets of one size only; words "
    "in lower case, split at white space; no n-gram spans two texts; over the n-grams: the paper divides by the words, "
    "whatever n is, so its number is lower for n > 1. More is not better by itself: random words are diverse. A "
    "resampled set holds texts twice and is less diverse; the interval is moved by that",
    undefined="no text has n words",
)
def distinct_n(predictions: Predictions, weights: np.ndarray | None = None, *, n: Count = 2) -> np.ndarray | float:
    """Different n-grams over n-grams. weights (draws, n) gives (draws,). Raises Undefined where there are none."""
    codes: dict[tuple[str, ...], int] = {}
    code, text = [], []
    for i, one in enumerate(written(predictions)):
        words = one.lower().split()
        for gram in zip(*(words[j:] for j in range(n)), strict=False):
            code.append(codes.setdefault(gram, len(codes)))
            text.append(i)
    if not code:
        raise Undefined(f"no text has {n} words")
    if weights is None:
        return len(codes) / len(code)
    order = np.argsort(code, kind="stable")
    where, starts = np.array(text)[order], np.flatnonzero(np.diff(np.array(code)[order], prepend=-1))
    step = max(1, BLOCK // len(code))
    parts = []
    for k in range(0, len(weights), step):
        drawn = weights[k : k + step][:, where]
        total = drawn.sum(axis=1, dtype=np.float64)
        different = (np.maximum.reduceat(drawn, starts, axis=1) > 0).sum(axis=1)
        parts.append(np.divide(different, total, out=np.full(len(total), np.nan), where=total > 0))
    return np.concatenate(parts)
