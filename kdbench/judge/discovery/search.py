"""The search, on one half of the examples: the slices with the surest excess of loss against the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

import numpy as np

from kdbench.judge.discovery.columns import Column

KEPT, ALIKE = 10, 0.5
"""Slices that are kept at most, and the overlap (intersection over union) from which two count as one."""
PARENTS, OF_COLUMN = 16, 3
"""Single slices that are crossed with each other, and how many of one column at most."""
CAUTION = 1.645
"""Standard errors that are taken off an excess of loss: small slices must lose much."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What the search stands on. first bool (n,): the half that is searched; cluster (n,): codes of units; least: examples that
    a slice must have in each half. Whether a slice is large enough does not depend on anybody's answers.
    """

    columns: tuple[Column, ...]
    first: np.ndarray
    cluster: np.ndarray
    least: int
    sizes: list[tuple[np.ndarray, np.ndarray]] = field(init=False)
    rows: tuple[np.ndarray, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        rows = (np.flatnonzero(self.first), np.flatnonzero(~self.first))
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "sizes", [(c.sums(rows[0]), c.sums(rows[1])) for c in self.columns])


@dataclass(frozen=True, slots=True)
class Part:
    """A slice: one candidate, or the intersection of two. parts: (column, candidate); score: its excess of loss, with caution."""

    parts: tuple[tuple[Column, int], ...]
    score: float

    @property
    def text(self) -> str:
        """The words for it."""
        return " and ".join(column.text[i] for column, i in self.parts)

    def rows(self) -> np.ndarray:
        """Whether each example lies in it, bool (n,)."""
        return np.asarray(np.logical_and.reduce([column.rows(i) for column, i in self.parts]))


def search(ground: Ground, delta: np.ndarray) -> tuple[list[Part], int]:
    """The slices kept, the surest first, and how many were looked at. delta (n,): accuracy minus the teacher's, in -1..1.

    The score is the mean loss inside minus the mean loss outside, less CAUTION standard errors; only slices with a score above 0
    are kept. Single slices first, then intersections of two good ones that beat both. Near copies of a kept slice are skipped.
    """
    loss = -delta[ground.rows[0]]
    totals = (float(len(loss)), float(loss.sum()), float((loss**2).sum()))
    single: list[Part] = []
    looked = 0
    most = [len(rows) - ground.least for rows in ground.rows]
    for column, (here, there) in zip(ground.columns, ground.sizes, strict=True):
        enough = (np.minimum(here, there) >= ground.least) & (np.maximum(here - most[0], there - most[1]) <= 0)
        looked += int(enough.sum())
        sums = (here, column.sums(ground.rows[0], loss), column.sums(ground.rows[0], loss**2))
        scores = _score(sums, totals)
        single += [Part(((column, int(i)),), float(scores[i])) for i in np.flatnonzero(enough & (scores > 0))]
    single.sort(key=_order)
    crossed, more = _crossed(ground, _parents(single), loss, totals)
    return _different(sorted([*single, *crossed], key=_order), ground), looked + more


def _order(part: Part) -> tuple[float, int, str]:
    return (-part.score, len(part.parts), part.text)


def _score(inside: tuple[np.ndarray, np.ndarray, np.ndarray], totals: tuple[float, float, float]) -> np.ndarray:
    n, s, q = inside
    outside = tuple(total - part for total, part in zip(totals, inside, strict=True))
    means = [part[1] / np.maximum(part[0], 1) for part in (inside, outside)]
    # one example won and one lost are added to each side: a slice where nobody ever differs is not certain to be alike
    spreads = [(q_ + 2) / (n_ + 2) - (s_ / (n_ + 2)) ** 2 for n_, s_, q_ in ((n, s, q), outside)]
    error = np.sqrt(spreads[0] / (n + 2) + spreads[1] / (outside[0] + 2))
    return np.asarray(means[0] - means[1] - CAUTION * error)


def _parents(single: Sequence[Part]) -> list[Part]:
    """The best single slices, not too many of one column."""
    taken: list[Part] = []
    for part in single:
        if sum(part.parts[0][0] is other.parts[0][0] for other in taken) < OF_COLUMN:
            taken.append(part)
        if len(taken) == PARENTS:
            break
    return taken


def _crossed(
    ground: Ground, parents: Sequence[Part], loss: np.ndarray, totals: tuple[float, float, float]
) -> tuple[list[Part], int]:
    if len(parents) < 2:
        return [], 0
    masks = [part.rows() for part in parents]
    here = np.array([mask[ground.rows[0]] for mask in masks], dtype=np.float32)
    there = np.array([mask[ground.rows[1]] for mask in masks], dtype=np.float32)
    both = partial(_product, here)
    n, s, q = (both(weight) for weight in (np.ones_like(loss), loss, loss**2))
    enough = (n >= ground.least) & (_product(there, np.ones(there.shape[1])) >= ground.least)
    scores = _score((n, s, q), totals)
    found = []
    pairs = [(i, j) for i, j in combinations(range(len(parents)), 2) if parents[i].parts[0][0] is not parents[j].parts[0][0]]
    for i, j in pairs:
        if enough[i, j] and scores[i, j] > max(parents[i].score, parents[j].score):
            found.append(Part((*parents[i].parts, *parents[j].parts), float(scores[i, j])))
    return found, sum(bool(enough[i, j]) for i, j in pairs)


def _product(masks: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The sums of the weights over the intersections of every two masks."""
    return np.asarray((masks * weight.astype(np.float32)) @ masks.T, dtype=np.float64)


def _different(parts: Sequence[Part], ground: Ground) -> list[Part]:
    kept: list[tuple[Part, np.ndarray]] = []
    for part in parts:
        rows = part.rows()[ground.rows[0]]
        if all((rows & other).sum() < ALIKE * (rows | other).sum() for _, other in kept):
            kept.append((part, rows))
        if len(kept) == KEPT:
            break
    return [part for part, _ in kept]
