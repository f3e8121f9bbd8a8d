"""How much evidence would separate two contenders: the examples or the seeds that the observed difference would need."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri, stdtrit  # type: ignore[import-untyped]

POWER = 0.8
ALPHA = 0.05
MOST = 1e9
"""Numbers above this are no advice any more."""


def needed(
    delta: np.ndarray, examples: np.ndarray, seeds: np.ndarray, units: np.ndarray, count: np.ndarray, tests: int
) -> tuple[np.ndarray, np.ndarray]:
    """(n, seeds), each (P,): what gives 80 % power to find a true difference of the observed size; NaN: that one may stay.

    delta (P,): observed differences; examples, seeds (P,): variance of delta over `units` examples and over `count` seeds. At
    5 % over a table of `tests` comparisons, so each at 5 % / tests (Bonferroni, the hardest step of Holm): the normal power
    formula n = n0 var (z_alpha + z_power)^2 / delta^2, with t quantiles for the seeds. What varies more is to grow; where that
    alone does not suffice both are, each to half of the variance that is allowed. Infinite where delta is 0.
    """
    level = 1 - ALPHA / (2 * max(tests, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        allowed = (delta / (ndtri(level) + ndtri(POWER))) ** 2
        by_seeds = seeds > examples
        spare = np.where(by_seeds, _seeds(delta, examples, seeds * count, level), units * examples / (allowed - seeds))
        enough = np.where(by_seeds, np.isfinite(spare), allowed > seeds)
        n = np.where(enough, np.where(by_seeds, np.nan, spare), units * examples / (allowed / 2))
        more = np.where(enough, np.where(by_seeds, spare, np.nan), _seeds(delta, allowed / 2, seeds * count, level))
    none = delta == 0
    unknown = ~np.isfinite(examples + seeds) | (examples + seeds <= 0)
    n, more = (np.where(none, np.inf, side) for side in (n, more))
    n, more = np.ceil(np.where(seeds + examples > 0, n, np.nan)), np.ceil(more)
    return np.where(unknown & ~none, np.nan, n), np.where((unknown | (seeds <= 0)) & ~none, np.nan, more)


def _seeds(delta: np.ndarray, examples: np.ndarray, spread: np.ndarray, level: float) -> np.ndarray:
    """The fewest seeds S >= 2 with (t_alpha + t_power) sqrt(examples + spread / S) <= |delta|; infinite where none are enough."""
    low, high = np.full(delta.shape, math.log(2.0)), np.full(delta.shape, math.log(MOST))

    def suffices(count: np.ndarray) -> np.ndarray:
        quantiles = stdtrit(count - 1, level) + stdtrit(count - 1, POWER)
        return np.asarray(quantiles * np.sqrt(examples + spread / count) <= np.abs(delta))

    reached = suffices(np.exp(high))
    for _ in range(48):
        middle = (low + high) / 2
        good = suffices(np.exp(middle))
        low, high = np.where(good, low, middle), np.where(good, middle, high)
    return np.where(reached, np.maximum(2.0, np.exp(high) - 1e-6), np.inf)


def advice(n: float, seeds: float) -> str:
    """The two numbers in words, to two digits; "" where nothing is known."""
    if math.isinf(n) and math.isinf(seeds):
        return "no number would: the observed difference is 0"
    if any(x >= MOST for x in (n, seeds)):
        return "no number within reach would separate them"
    parts = [f"{what}{_rounded(x)}{after}" for x, what, after in ((n, "n = ", ""), (seeds, "", " seeds")) if not math.isnan(x)]
    return f"about {' and '.join(parts)} would separate them" if parts else ""


def _rounded(x: float) -> str:
    digits = max(0, math.floor(math.log10(max(x, 1.0))) - 1)
    return f"{math.ceil(x / 10**digits) * 10**digits:,d}"
