"""Intervals: of one checkpoint over examples, and of a method over examples and seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]

from kdbench.judge.readings import Reading

LEVEL = 0.95
Z = 1.959963984540054
"""The normal quantile of LEVEL."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval (NaN bounds where nothing says how far it may be off).

    seeds: how many different checkpoints are behind it.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    seeds: int = 1


def distinct(readings: Sequence[Reading]) -> list[Reading]:
    """Known readings of different evidence: one artefact that serves three seeds is one observation."""
    seen: dict[str, Reading] = {}
    for i, reading in enumerate(readings):
        if reading.known:
            seen.setdefault(reading.evidence or f"#{i}", reading)
    return list(seen.values())


def checkpoint(reading: Reading) -> Estimate:
    """One checkpoint: only examples vary. Percentile bootstrap (Efron 1979), moved by its bias: a calibration error, say, grows
    under resampling, and the plain percentiles can leave out the value itself. Wilson's score interval for a share of examples,
    which has a width even where all are right; and for two checkpoints that never differ, the rule of three.
    """
    if reading.draws is None:
        return Estimate(reading.value)
    draws = reading.draws[np.isfinite(reading.draws)]
    if len(draws) < 2:
        return Estimate(reading.value)
    if reading.kind == "rate" and reading.n:
        low, high = wilson(reading.value, reading.n)
    elif reading.kind == "rate difference" and reading.n and not draws.any():
        high = 1 - ((1 - LEVEL) / 2) ** (1 / reading.n)
        low = -high
    else:
        bias = float(draws.mean()) - reading.value
        low, high = (float(q) - bias for q in np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
        low, high = min(low, reading.value), max(high, reading.value)
    return Estimate(reading.value, low, high)


def over(readings: Sequence[Reading]) -> Estimate:
    """The mean over seeds, as a method: examples and seeds vary.

    Variance of the mean = bootstrap variance over examples (units - 1 degrees of freedom) + s^2(seeds) / S (S - 1), and a t
    interval by `half_width`. The seed term also holds the interaction of seed and example, so the interval is a little wide
    rather than narrow. With one checkpoint there is nothing to say about seeds: the interval is that of the checkpoint.
    """
    known = distinct(readings)
    if not known:
        return Estimate(math.nan, seeds=0)
    if len(known) == 1:
        return checkpoint(known[0])
    values = np.array([r.value for r in known])
    parts = [(float(values.var(ddof=1)) / len(known), len(known) - 1)]
    draws = mean_draws(known)
    finite = np.empty(0) if draws is None else draws[np.isfinite(draws)]
    if len(finite) >= 2:
        error = max(float(finite.std(ddof=1)), _floor(known[0], finite))
        parts.append((error**2, max(known[0].units - 1, 1)))
    value, half = float(values.mean()), half_width(parts)
    return Estimate(value, value - half, value + half, len(known))


def half_width(parts: Sequence[tuple[float, int]], p: float = 1 - LEVEL) -> float:
    """Half of a 1 - p interval around a sum whose variance has independent parts (variance, degrees of freedom).

    Cochran's approximation (Cochran and Cox 1957): the t quantiles of the parts, weighted by their variances. With two or three
    seeds that differ much, Welch-Satterthwaite's covers only 87 to 92 % where it promises 95: a seed variance that is small by
    chance is then taken for certainty.
    """
    total = sum(v for v, _ in parts)
    if total == 0:
        return 0.0
    return sum(v * -float(stdtrit(df, p / 2)) for v, df in parts if v > 0) / math.sqrt(total)


def p_value(value: float, parts: Sequence[tuple[float, int]]) -> float:
    """The two-sided p whose interval just touches 0, by bisection. A difference without spread is certain, and none is none."""
    if value == 0 or sum(v for v, _ in parts) == 0:
        return float(value == 0)
    low, high = -300.0, 0.0  # of log10 p: the half width falls as p grows
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if half_width(parts, 10**middle) > abs(value) else (low, middle)
    return float(10**high)


def mean_draws(readings: Sequence[Reading]) -> np.ndarray | None:
    """The bootstrap replicates of the mean over seeds: the seeds share their draws."""
    parts = [r.draws for r in readings if r.draws is not None]
    if len(parts) < len(readings) or not parts:
        return None
    size = min(map(len, parts))
    return np.asarray(np.mean([p[:size] for p in parts], axis=0))


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share of n independent examples."""
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))  # rounding must not leave out the share


def _floor(reading: Reading, draws: np.ndarray) -> float:
    """The least standard error to believe where all draws are equal: all right, or never different, does not mean certain."""
    if not reading.kind or not reading.n or draws.std() > 0:
        return 0.0
    if reading.kind == "rate":
        share = (reading.value * reading.n + 2) / (reading.n + 4)  # Agresti and Coull 1998
        return math.sqrt(share * (1 - share) / (reading.n + 4))
    return float(1 - ((1 - LEVEL) / 2) ** (1 / reading.n)) / Z
