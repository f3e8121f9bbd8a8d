"""Which examples a number is about: all of them, and each group of each group column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from kdbench.judge.evidence import MISSING, Examples


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """A part of the examples. rows: their places, None for all. column, level: the group that it is, "" for all.

    enough: whether it is large enough, and known enough, to be compared with the other groups of its column.
    """

    name: str
    rows: np.ndarray | None
    n: int
    column: str = ""
    level: str = ""
    enough: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """The groups of one column. code (n,): the group of each example, its place in `slices`."""

    column: str
    code: np.ndarray
    slices: tuple[Slice, ...]

    @property
    def compared(self) -> tuple[Slice, ...]:
        """Those that are large and known enough."""
        return tuple(part for part in self.slices if part.enough)


@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """All examples, and the groups that they fall into."""

    whole: Slice
    groupings: tuple[Grouping, ...] = ()

    @property
    def plain(self) -> Cuts:
        """All examples alone."""
        return Cuts(self.whole)

    def __iter__(self) -> Iterator[Slice]:
        """Every slice, the whole first."""
        yield self.whole
        for grouping in self.groupings:
            yield from grouping.slices


@lru_cache(maxsize=4)
def cuts_of(about: Examples, min_group: int) -> Cuts:
    """All examples, and each level of each group column, also those without a test example."""
    said = f"{about.left} of {about.left + len(about.ids)} questions have no single right answer: left out" if about.left else ""
    whole = Slice("", None, len(about.ids), reason=said)
    return Cuts(whole, tuple(_grouping(column, *about.groups[column], min_group) for column in about.groups))


def noted(whole: Slice, note: str) -> Slice:
    """All examples, with what a metric has to say of them beside what is known already."""
    return replace(whole, reason="; ".join(filter(None, (whole.reason, note))))


def _grouping(column: str, levels: tuple[str, ...], code: np.ndarray, min_group: int) -> Grouping:
    small = code.astype(np.int16) if len(levels) < 2**15 else code  # sorted by digits, not by comparing
    order = np.argsort(small, kind="stable").astype(np.int32)  # half the memory, where there are many columns
    ends = np.cumsum(np.bincount(code, minlength=len(levels)))
    parts = []
    for level, rows in zip(levels, np.split(order, ends[:-1]), strict=True):
        reason = ""
        if level == MISSING:
            reason = "the group of these examples is not known: not part of the gap"
        elif len(rows) < min_group:
            reason = f"insufficient (n={len(rows)}, fewer than {min_group}): not part of the gap"
        parts.append(Slice(f"{column}={level}", rows, len(rows), column, level, not reason, reason))
    return Grouping(column, code, tuple(parts))
