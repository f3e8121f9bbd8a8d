"""Intervals for the size of a deviation (a calibration error, a gap between groups), which can never be below zero.

Such a number is a norm of a vector of deviations d = delta + noise, and noise alone makes it positive: where delta is zero or
small the estimate is too large, a bootstrap of it is too large twice, and percentiles leave out the truth nearly always. Here
the interval is found by test inversion (Neyman 1937): it holds those sizes t for which the observed size is an ordinary value
of size(t w + noise), with the noise of the bootstrap around its own mean and w a vector of size one in the direction of d. The
direction is itself noisy. For the low end its parts are shrunk by their noise, so that what is only noise is not taken for a
deviation, and for the high end they are stretched, so that what is hidden by it may be one: both err on the wide side. A norm
is convex, size(delta) >= g delta for every slope g, with equality at its own; so the high end also reaches as far as g d and the
noise of g do, for the slopes at d and at draws of d. Without these an interval is too short where one deviation is much noisier
than the largest: the true positive rate of a small group beside a false positive rate that is known well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

SHRINK, STRETCH = 3.0, 2.0
"""Squared standard errors taken from, and added to, a squared part of the direction: calibrated by simulation (tests)."""
FAR = 1e6
"""A size so many times its own that it is straight within the noise."""
DRAWS = 500
"""Draws that are used: an end is known to 0.1 of a standard error, and twice as many cost twice the time."""
NUMBERS = 2_000_000
"""Deviations of all draws that are held at once: of many classes and groups fewer draws are used, but not fewer than `FEWEST`."""
FEWEST = 100
SLOPES = 32
"""Draws at whose slope the high end is looked for."""
STEPS = 18
"""Bisections of an end: to 4e-6 of the first bracket."""


def reach(
    size: Callable[[np.ndarray], np.ndarray], deviations: np.ndarray, draws: np.ndarray, level: float
) -> tuple[float, float]:
    """How far below and above size(deviations) the interval of this level goes.

    size: (..., m) -> (...), a norm or seminorm: size(a v) = |a| size(v). deviations: of any shape, here (m,); draws (B, m): their
    bootstrap draws.
    """
    draws = draws[np.isfinite(draws).reshape(len(draws), -1).all(axis=1)][: enough(deviations.size)]
    value = float(size(deviations))
    if len(draws) < 2:
        return 0.0, 0.0
    noise = draws - draws.mean(axis=0)
    error = noise.var(axis=0)
    tail = (1 - level) / 2
    if value <= 0:
        return 0.0, float(np.quantile(size(noise), level))
    small = np.sign(deviations) * np.sqrt(np.maximum(deviations**2 - SHRINK * error, 0))
    large = np.sign(deviations) * np.sqrt(deviations**2 + STRETCH * error)
    small = small if float(size(small)) > 0 else deviations

    def above(direction: np.ndarray) -> Callable[[float], float]:
        unit = direction / float(size(direction))
        return lambda t: float((size(t * unit + noise) >= value).mean())

    most = value + float(size(noise).max())
    low = _first(above(small), tail, most)
    high = max(_first(above(large), 1 - tail, most), *_slopes(size, deviations, draws[:SLOPES], noise, 1 - tail))
    return value - min(low, value), max(high, value) - value


def _slopes(
    size: Callable[[np.ndarray], np.ndarray], deviations: np.ndarray, draws: np.ndarray, noise: np.ndarray, level: float
) -> Iterator[float]:
    """How far g delta may reach, for the slope g of the size at the deviations and at each of some draws of them."""
    for at in (deviations, *draws):
        far = FAR * at
        whole = size(far)
        yield float(size(far + deviations) - whole) + float(np.quantile(size(far + noise) - whole, level))


def enough(numbers: int) -> int:
    """How many draws are used of so many numbers each."""
    return max(FEWEST, min(DRAWS, NUMBERS // max(1, numbers)))


def _first(share: Callable[[float], float], wanted: float, most: float) -> float:
    """The smallest t with share(t) >= wanted, for a share that grows with t; 0 where it is reached there."""
    if share(0.0) >= wanted:
        return 0.0
    low, high = 0.0, most
    while share(high) < wanted:
        high *= 2
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if share(middle) >= wanted else (middle, high)
    return high
