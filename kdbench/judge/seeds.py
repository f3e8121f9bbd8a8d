"""Intervals: of one checkpoint over examples, and of a method over examples and seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit  # type: ignore[import-untyped]

from kdbench.judge.readings import Reading

LEVEL = 0.95
Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval (NaN bounds where nothing says how far it may be off). error: its standard error, with `df`
    degrees of freedom; seeds: how many different checkpoints are behind it.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    error: float = math.nan
    df: float = math.inf
    seeds: int = 1


def distinct(readings: Sequence[Reading]) -> list[Reading]:
    """Known readings of different evidence: one artefact that serves three seeds is one observation."""
    seen: dict[str, Reading] = {}
    for i, reading in enumerate(readings):
        if reading.known:
            seen.setdefault(reading.evidence or f"#{i}", reading)
    return list(seen.values())


def checkpoint(reading: Reading) -> Estimate:
    """One checkpoint: only examples vary. Percentile bootstrap (Efron 1979); Wilson's score interval for a share of examples,
    which has a width even where all are right; and for two checkpoints that never differ, the rule of three.
    """
    if reading.draws is None:
        return Estimate(reading.value)
    draws = reading.draws[np.isfinite(reading.draws)]
    if len(draws) < 2:
        return Estimate(reading.value)
    error = max(float(draws.std(ddof=1)), _floor(reading, draws))
    df = max(reading.units - 1, 1)
    if reading.kind == "rate" and reading.n:
        low, high = wilson(reading.value, reading.n)
    elif reading.kind == "rate difference" and reading.n and not draws.any():
        high = 1 - ((1 - LEVEL) / 2) ** (1 / reading.n)
        low = -high
    else:
        low, high = (float(q) for q in np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    return Estimate(reading.value, low, high, error, df)


def over(readings: Sequence[Reading]) -> Estimate:
    """The mean over seeds. Variance of the mean = bootstrap variance over examples + s^2(seeds) / S; a t interval with
    Welch-Satterthwaite degrees of freedom (units - 1 for the examples, S - 1 for the seeds).

    The seed term also holds the interaction of seed and example, so the interval is a little wide rather than narrow.
    With one checkpoint there is nothing to say about seeds: the interval is that of the checkpoint.
    """
    known = distinct(readings)
    if not known:
        return Estimate(math.nan, seeds=0)
    if len(known) == 1:
        return checkpoint(known[0])
    values = np.array([r.value for r in known])
    seeds = len(known)
    of_examples, units = 0.0, 0
    draws = mean_draws(known)
    if draws is not None:
        finite = draws[np.isfinite(draws)]
        if len(finite) >= 2:
            of_examples = max(float(finite.std(ddof=1)), _floor(known[0], finite)) ** 2
            units = known[0].units
    of_seeds = float(values.var(ddof=1)) / seeds
    return _t_interval(float(values.mean()), (of_examples, max(units - 1, 1)), (of_seeds, seeds - 1), seeds)


def mean_draws(readings: Sequence[Reading]) -> np.ndarray | None:
    """The bootstrap replicates of the mean over seeds: the seeds share their draws."""
    parts = [r.draws for r in readings if r.draws is not None]
    if len(parts) < len(readings) or not parts:
        return None
    size = min(map(len, parts))
    return np.asarray(np.mean([p[:size] for p in parts], axis=0))


def _t_interval(value: float, examples: tuple[float, int], seeds: tuple[float, int], count: int) -> Estimate:
    total = examples[0] + seeds[0]
    if total == 0:
        return Estimate(value, value, value, 0.0, math.inf, count)
    df = total**2 / sum(v**2 / d for v, d in (examples, seeds) if v > 0)
    half = float(stdtrit(df, (1 + LEVEL) / 2)) * math.sqrt(total)
    return Estimate(value, value - half, value + half, math.sqrt(total), df, count)


def p_value(value: float, error: float, df: float) -> float:
    """Two-sided, of a t statistic. A difference without any spread is certain, and none at all is no difference."""
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stdtr(min(df, 1e9), -abs(value) / error))


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share of n independent examples."""
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _floor(reading: Reading, draws: np.ndarray) -> float:
    """The least standard error to believe where all draws are equal: all right, or never different, does not mean certain."""
    if not reading.kind or not reading.n or draws.std() > 0:
        return 0.0
    if reading.kind == "rate":
        share = (reading.value * reading.n + 2) / (reading.n + 4)  # Agresti and Coull 1998
        return math.sqrt(share * (1 - share) / (reading.n + 4))
    return float(1 - ((1 - LEVEL) / 2) ** (1 / reading.n)) / Z
