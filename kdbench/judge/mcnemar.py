"""Two contenders right and wrong on the same examples: McNemar's exact test, and Tango's intervals for the difference in rate.

b counts the examples that the first has and the second has not, c the other way round, n all examples; delta = (b - c) / n.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, ndtr  # type: ignore[import-untyped]


def discordant(a: np.ndarray, b: np.ndarray) -> tuple[int, int]:
    """(b, c) of two columns of bits, uint8 as `np.packbits` gives them; the bits behind the last example are 0."""
    return int(np.bitwise_count(a & ~b).sum(dtype=np.int64)), int(np.bitwise_count(b & ~a).sum(dtype=np.int64))


def exact(b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """McNemar's test in its exact form (McNemar 1947; the sign test): 2 P(Binomial(b + c, 1/2) <= min(b, c)), at most 1."""
    b, c = np.asarray(b, dtype=np.float64), np.asarray(c, dtype=np.float64)
    fewer, more = np.minimum(b, c), np.maximum(np.maximum(b, c), 1)
    return np.asarray(np.minimum(1.0, 2 * betainc(more, fewer + 1, 0.5)))  # P(X <= k) = I_1/2(n - k, k + 1)


def score(b: np.ndarray, c: np.ndarray, n: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """The score statistic of a difference delta of two paired rates (Tango 1998, equation 4), standard normal where it is true.

    At delta = 0 it is McNemar's (b - c) / sqrt(b + c).
    """
    slope = -b - c + (2 * n - b + c) * delta
    root = np.sqrt(np.maximum(slope**2 + 8 * n * c * delta * (1 - delta), 0.0))
    rate = (root - slope) / (4 * n)  # the most likely rate of c where the difference is delta
    error = np.sqrt(np.maximum(n * (2 * rate + delta * (1 - delta)), 0.0))
    above = b - c - n * delta
    return np.asarray(np.divide(above, error, out=np.where(above == 0, 0.0, np.copysign(np.inf, above)), where=error > 0))


def limits(b: np.ndarray, c: np.ndarray, n: np.ndarray, z: float) -> tuple[np.ndarray, np.ndarray]:
    """Tango's score interval of the difference: where its statistic is z and -z. It has a width even where b = c = 0."""
    b, c, n = (np.asarray(x, dtype=np.float64) for x in (b, c, n))
    found = (b - c) / n
    ends = []
    for end, sign in ((-1.0, 1.0), (1.0, -1.0)):
        inner, outer = found.copy(), np.full(found.shape, end)
        for _ in range(50):
            middle = (inner + outer) / 2
            inside = sign * score(b, c, n, middle) < z
            inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
        ends.append(inner)
    return ends[0], ends[1]


def equivalence(b: np.ndarray, c: np.ndarray, n: np.ndarray, margin: float) -> np.ndarray:
    """Two one-sided score tests against a margin (Tango 1998): p of "the rates differ by the margin or more"."""
    b, c, n = (np.asarray(x, dtype=np.float64) for x in (b, c, n))
    if margin <= 0:
        return np.ones(b.shape)
    if margin >= 1:
        return np.zeros(b.shape)
    above, below = score(b, c, n, np.full(b.shape, margin)), score(b, c, n, np.full(b.shape, -margin))
    return np.asarray(np.maximum(ndtr(above), ndtr(-below)))
