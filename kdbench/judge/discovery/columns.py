"""Candidate slices of single columns: ranges of numbers, levels of categories, the presence of words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

BINS = 8
"""Quantile bins of a numeric column; a column of at most so many different numbers has one bin for each."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """codes int (n,): the bin of each example, of `bins`; low, high (m,): first and last bin of each candidate; text: words."""

    codes: np.ndarray
    bins: int
    low: np.ndarray
    high: np.ndarray
    text: tuple[str, ...]

    def sums(self, rows: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """The sum of the weights (of ones) over the given rows in each candidate, (m,). weights: one for each of the rows."""
        edges = np.zeros(self.bins + 1)
        np.cumsum(np.bincount(self.codes[rows], weights=weights, minlength=self.bins), out=edges[1:])
        return np.asarray(edges[self.high + 1] - edges[self.low])

    def rows(self, candidate: int) -> np.ndarray:
        """Whether each example lies in a candidate, bool (n,)."""
        return np.asarray((self.codes >= self.low[candidate]) & (self.codes <= self.high[candidate]))


def columns(features: Mapping[str, np.ndarray]) -> Iterator[Column]:
    """One column of candidates for each feature that has any: numbers, text (levels) or bool (presence)."""
    for name, held in features.items():
        if held.dtype.kind == "b":
            made = Column(held.astype(np.int64), 2, np.array([1]), np.array([1]), (name,))
        elif held.dtype.kind in "US":
            made = _levels(name, held)
        else:
            made = _ranges(name, held.astype(np.float64))
        if made.text:
            yield made


def _levels(name: str, held: np.ndarray) -> Column:
    levels, codes = np.unique(held, return_inverse=True)
    each = np.arange(len(levels)) if len(levels) > 1 else np.empty(0, dtype=np.int64)
    return Column(codes, len(levels), each, each, tuple(f"{name} = {levels[i]}" for i in each))


def _ranges(name: str, held: np.ndarray) -> Column:
    """Bins by quantiles, and all unions of adjacent bins but the whole; cells without a number are a candidate of their own.

    A range is told by its smallest and largest value among the examples, so that its words and its rows cannot disagree.
    """
    missing = np.isnan(held)
    known = held[~missing]
    different = np.unique(known)
    edges = different[:-1]
    if len(different) > BINS:
        edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    codes = np.searchsorted(edges, held, side="left")
    used, dense = np.unique(codes[~missing], return_inverse=True)
    bins = len(used)
    codes[~missing], codes[missing] = dense, bins
    least = [float(known[dense == k].min()) for k in range(bins)]
    most = [float(known[dense == k].max()) for k in range(bins)]
    pairs = [(i, j) for i in range(bins) for j in range(i, bins) if j - i < bins - 1]
    text = [_words(name, least[i], most[j], i == 0, j == bins - 1) for i, j in pairs]
    if missing.any() and bins:
        pairs.append((bins, bins))
        text.append(f"{name} is missing")
    low, high = (np.array([p[k] for p in pairs], dtype=np.int64) for k in (0, 1))
    return Column(codes, bins + 1, low, high, tuple(text))


def _words(name: str, low: float, high: float, first: bool, last: bool) -> str:
    if low == high:
        return f"{name} = {low:.6g}"
    if first:
        return f"{name} <= {high:.6g}"
    return f"{name} >= {low:.6g}" if last else f"{low:.6g} <= {name} <= {high:.6g}"
