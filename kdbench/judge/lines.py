"""What is compared: the replicates of a metric by contender, and the rules of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Line:
    """The replicates of one contender on one target: values (S,) by seed (NaN: none), draws (B,), units resampled.

    hits uint8 (S, n / 8): which of the n examples count, as bits, where the metric is a rate; None elsewhere.
    """

    contender: str
    values: np.ndarray
    draws: np.ndarray
    units: int
    hits: np.ndarray | None = None
    n: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """How the pairs of one table are judged. better: higher or lower. margin: differences below it count as equal, 0 for none.

    bounded: whether the unit is a fraction. apart: contenders that are shown and not compared. seeds: names of the seeds.
    """

    better: str = "higher"
    margin: float = 0.0
    bounded: bool = False
    apart: frozenset[str] = frozenset()
    seeds: tuple[int, ...] = ()


def lines(replicates: Mapping[str, np.ndarray], target: str) -> list[Line]:
    """The contenders of one target in a replicates file."""
    rows = np.flatnonzero(replicates["target"] == target)
    held = (replicates["contender"], replicates["values"], replicates["draws"], replicates["units"])
    bits = replicates.get("hits", np.empty((0, 0, 0), np.uint8))
    n = int(replicates["n"]) if "n" in replicates else 0
    return [Line(str(held[0][i]), held[1][i], held[2][i], int(held[3][i]), bits[i] if len(bits) else None, n) for i in rows]
