"""Which examples a number is about: all of them, and each group of each group column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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


def slices(about: Examples, min_group: int, groups: bool = True) -> Iterator[Slice]:
    """All examples first, then each level of each group column, also those without a test example."""
    yield Slice("", None, len(about.ids))
    for column, (levels, codes) in about.groups.items() if groups else ():
        for code, level in enumerate(levels):
            rows = np.flatnonzero(codes == code)
            reason = ""
            if level == MISSING:
                reason = "the group of these examples is not known: not part of the gap"
            elif len(rows) < min_group:
                reason = f"insufficient (n={len(rows)}, fewer than {min_group}): not part of the gap"
            yield Slice(f"{column}={level}", rows, len(rows), column, level, not reason, reason)
