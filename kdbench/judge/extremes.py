"""Intervals for what compares groups: the distance of the largest from the smallest, their ratio, and the worst of them.

The largest of several estimates is too large and the smallest too small, most where the groups are alike: a bootstrap repeats
that, and its percentiles leave out the truth. A distance gets its interval by test inversion (see `boundary`), a ratio the same
one of the logarithms. And a share of few rows that is 0 or 1, or near, has draws that hardly differ: they are spread as much as
Agresti and Coull (1998) say, for else one group of 30 without an error would make a gap that is sure.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import ndtri  # type: ignore[import-untyped]

from kdbench.judge.boundary import reach
from kdbench.judge.seeds import LEVEL, stretch

SEED = 20
LOST = 0.05
"""What a draw that holds nothing counts as in a ratio, as a share of the value: near the lower limit of a count of 1, 0.025."""


def widened(values: np.ndarray, draws: np.ndarray, units: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Draws (B, G, ...) of the values (G, ...) of groups, centred there, as wide as few units ask for.

    units (G,): things resampled in each group; share: bool, of the shape of `values`, where these are shares of yes-or-no rows.
    Their standard error is then at least that of (x + 2) / (n + 4) of n + 4 rows.
    """
    m = np.maximum(units, 2).reshape(-1, *[1] * (values.ndim - 1)).astype(np.float64)
    wide = np.array([stretch(int(u)) for u in units]).reshape(m.shape)
    off = (draws - np.nanmean(draws, axis=0)) * wide
    moved = (np.clip(values, 0, 1) * m + 2) / (m + 4)
    missing = np.where(share, moved * (1 - moved) / (m + 4) - np.nanvar(off, axis=0), 0.0)
    more = np.sqrt(np.maximum(np.nan_to_num(missing), 0.0))
    noise = np.random.default_rng(SEED).standard_normal(draws.shape) if more.any() else 0.0
    return np.asarray(values + off + more * noise)


def distance(values: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
    """How far down and up the interval of max - min goes. values (G,), draws (B, G)."""
    return reach(lambda x: np.ptp(x, axis=-1), values - values.mean(), draws - draws.mean(axis=1, keepdims=True), LEVEL)


def proportion(values: np.ndarray, draws: np.ndarray) -> tuple[float, float] | None:
    """Of min / max: exp of minus the distance of the logarithms. None where a group has none."""
    return back(*distance(*logarithms(values, draws)), float(values.min() / values.max())) if values.min() > 0 else None


def logarithms(values: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those of values above 0, and of their draws; one that holds nothing counts as `LOST`."""
    return np.log(values), np.log(np.maximum(draws, LOST * values))


def back(down: float, up: float, value: float) -> tuple[float, float]:
    """The reach of the distance of logarithms as that of the ratio that it means."""
    return value - value * math.exp(-up), min(value * math.exp(down), 1.0) - value


def extreme(values: np.ndarray, draws: np.ndarray, pick: Callable[[np.ndarray], float]) -> tuple[float, float]:
    """Of the worst group, `pick` being min or max. It is surely at least as far out as each group is, all of them at once
    (Bonferroni), and no farther out than some group may be.
    """
    error = draws.std(axis=0, ddof=1)
    alone, together = (float(-ndtri((1 - LEVEL) / 2 / count)) for count in (1, len(values)))
    value, sign = float(pick(values)), 1.0 if float(pick(np.array([0.0, 1.0]))) else -1.0
    out, inside = float(pick(values + sign * alone * error)), float(pick(values - sign * together * error))
    low, high = sorted((out, inside))
    return value - min(low, value), max(high, value) - value
