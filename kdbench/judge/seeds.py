"""Intervals: of one checkpoint over examples, and of a method over examples and seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]

from kdbench.judge.readings import Reading

LEVEL = 0.95
ROUNDING = 1e-12
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
    """One checkpoint: only examples vary. Percentile bootstrap (Efron 1979), moved by its median bias: a calibration error, say,
    grows under resampling, and the plain percentiles can leave out the value itself; the median, because a few far draws of a
    fitted temperature would move the interval below 0. Wilson's score interval for a share of examples,
    which has a width even where all are right; and for two checkpoints that never differ, the rule of three. Of few clusters or
    blocks wider, by `stretch`; without bounds where all draws are equal.
    """
    draws = np.empty(0) if reading.draws is None else reading.draws[np.isfinite(reading.draws)]
    if len(draws) < 2:
        return Estimate(reading.value)
    if reading.reach is not None:  # an interval made for this kind of number
        low, high = reading.value - reading.reach[0], reading.value + reading.reach[1]
        low = 0.0 if abs(low) < ROUNDING * abs(reading.value) else low  # the same sums in another order: it reaches 0, not 1e-17
    elif reading.kind == "rate" and reading.n:
        low, high = wilson(reading.value, reading.n)
    elif reading.kind == "rate difference" and reading.n and not draws.any():
        high = 1 - ((1 - LEVEL) / 2) ** (1 / reading.n)
        low = -high
    elif reading.kind != "certain" and (reading.units == 1 or not np.ptp(draws)):
        return Estimate(reading.value)  # equal in every draw, as a share of 12 of 12: nothing says how far it may be off
    else:
        ends = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - np.median(draws)
        low, high = (reading.value + float(end) * stretch(reading.units) for end in ends)
        low, high = min(low, reading.value), max(high, reading.value)
    return Estimate(reading.value, low, high)


def stretch(units: int) -> float:
    """How much wider than a bootstrap of that many units an interval must be: t_{m-1} / z sqrt(m / (m - 1)), what Hesterberg's
    expanded percentiles (2015) do; 1 where the number of units is not known.
    """
    return -float(stdtrit(units - 1, (1 - LEVEL) / 2)) / Z * math.sqrt(units / (units - 1)) if units > 1 else 1.0


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
    if known[0].units == 1 and known[0].draws is not None and known[0].kind != "certain":
        return Estimate(float(values.mean()), seeds=len(known))  # of one cluster nobody knows how another one would do
    parts = [(float(values.var(ddof=1)) / len(known), len(known) - 1)]
    draws = mean_draws(known)
    finite = np.empty(0) if draws is None else draws[np.isfinite(draws)]
    if len(finite) >= 2:
        error = max(float(finite.std(ddof=1)), _floor(known[0], finite))
        units = known[0].units
        parts.append((error**2 * (units / (units - 1) if units > 1 else 1.0), max(units - 1, 1)))
    reaches = [r.reach for r in known if r.reach is not None]
    if len(reaches) == len(known):
        return _beyond(values, parts[:1], np.array(reaches))
    if len(finite) >= 2 and not sum(v for v, _ in parts) and known[0].kind != "certain":  # equal in every draw, for every seed
        return Estimate(float(values.mean()), seeds=len(known))
    value, half = float(values.mean()), half_width(parts)
    return Estimate(value, value - half, value + half, len(known))


def _beyond(values: np.ndarray, of_seeds: Sequence[tuple[float, int]], reaches: np.ndarray) -> Estimate:
    """Over seeds where each has an interval of its own kind, (S, 2) down and up: the seeds share their examples, so the mean of
    those, beside what the seeds differ.
    """
    value, apart = float(values.mean()), half_width(of_seeds)
    down, up = (math.hypot(float(reach), apart) for reach in reaches.mean(axis=0))
    return Estimate(value, value - down, value + up, len(values))


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


def half_widths(var: np.ndarray, df: np.ndarray, p: float | np.ndarray = 1 - LEVEL) -> np.ndarray:
    """`half_width` of many sums at once: var, df (..., parts), p one number or (...); a part without variance is none."""
    total = var.sum(axis=-1)
    at = np.broadcast_to(np.asarray(p, dtype=np.float64), total.shape)[..., None] / 2
    weighted = (var * np.where(var > 0, -stdtrit(df, at), 0.0)).sum(axis=-1)
    found = np.divide(weighted, np.sqrt(total), out=np.zeros(total.shape), where=total > 0)
    return np.where(np.isnan(total), np.nan, found)


def p_values(values: np.ndarray, var: np.ndarray, df: np.ndarray) -> np.ndarray:
    """The two-sided p (...) whose interval around the value (...) just touches 0, by bisection; var, df (..., parts).

    A difference without spread is certain (p 0), and none is none (p 1); NaN where the variance is not known.
    """
    total = var.sum(axis=-1)
    low, high = np.full(total.shape, -300.0), np.zeros(total.shape)  # of log10 p: the half width falls as p grows
    for _ in range(46):
        middle = (low + high) / 2
        wider = half_widths(var, df, 10**middle) > np.abs(values)
        low, high = np.where(wider, middle, low), np.where(wider, high, middle)
    found = np.where((values == 0) | (total == 0), (values == 0).astype(float), 10**high)
    return np.where(np.isnan(total), np.nan, found)


def p_value(value: float, parts: Sequence[tuple[float, int]]) -> float:
    """`p_values` of one number; parts: (variance, degrees of freedom) each."""
    var, df = (np.array([list(side)]) for side in zip(*(parts or [(0.0, 1)]), strict=True))
    return float(p_values(np.array([value]), var, df)[0])


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
    if reading.kind in ("", "certain") or not reading.n or draws.std() > 0:
        return 0.0
    if reading.kind == "rate":
        share = (reading.value * reading.n + 2) / (reading.n + 4)  # Agresti and Coull 1998
        return math.sqrt(share * (1 - share) / (reading.n + 4))
    return float(1 - ((1 - LEVEL) / 2) ** (1 / reading.n)) / Z
