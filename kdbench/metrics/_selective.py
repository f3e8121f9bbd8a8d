"""What selective prediction is made of: examples in the order of confidence, in plateaus of equal confidence, and their sums.

An order inside a plateau would be the order of a file. So a plateau that is cut counts in expectation over the random orders of
its examples: its errors are spread evenly over it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma  # type: ignore[import-untyped]

from kdbench import Predictions, Undefined

SAME = 1e-15
"""Neighbours in the order that differ by no more are equal: a softmax adds its terms in the order of the classes, and rounds."""
SERIES = 64.0
"""From here on the series of digamma and trigamma are exact in float64."""


@dataclass(frozen=True, slots=True, eq=False)
class Plateaus:
    """n examples, the most confident first. order (n,): their places; start (P,): where each plateau begins in that order."""

    order: np.ndarray
    start: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over each plateau, float64: values (..., n) give (..., P)."""
        taken = values[self.order] if values.ndim == 1 else values.take(self.order, axis=-1)
        if len(self.start) == len(self.order):
            return np.asarray(taken, dtype=np.float64)
        return np.add.reduceat(taken, self.start, axis=-1, dtype=np.float64)

    def counts(self) -> np.ndarray:
        """Examples of each plateau, float64 (P,)."""
        return np.diff(self.start, append=len(self.order)).astype(np.float64)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """What each plateau has (P,), for each of its examples in the order of the file, (n,)."""
        found = np.empty(len(self.order))
        found[self.order] = np.repeat(values, np.diff(self.start, append=len(self.order)))
        return found


def plateaus(predictions: Predictions) -> Plateaus:
    """The examples by confidence, kept with them: several metrics ask. Raises Undefined where there is none."""
    if not len(predictions.pred):
        raise Undefined("no examples")
    if "plateaus" not in predictions.__dict__:
        order = predictions.by_confidence
        confidence = predictions.confidence[order]
        found = Plateaus(order, np.flatnonzero(np.append(True, confidence[:-1] - confidence[1:] > SAME)))
        predictions.__dict__["plateaus"] = found
    kept: Plateaus = predictions.__dict__["plateaus"]
    return kept


def tally(on: Plateaus, values: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mass of each plateau, and the sum of `values` (n,) on it, both (draws, P); without weights one draw of ones."""
    if weights is None:
        return on.counts()[None], on.sums(values)[None]
    return on.sums(weights), on.sums(weights * values)


def before(parts: np.ndarray) -> np.ndarray:
    """The sums of all earlier plateaus, (..., P)."""
    return np.asarray(np.cumsum(parts, axis=-1) - parts)


def after(parts: np.ndarray) -> np.ndarray:
    """The sums of all later plateaus, (P,)."""
    return np.asarray(np.cumsum(parts[::-1])[::-1] - parts)


def over(above: np.ndarray, below: np.ndarray, empty: float = 0.0) -> np.ndarray:
    """The ratio, `empty` where `below` is 0."""
    return np.asarray(np.divide(above, below, out=np.full(np.broadcast_shapes(above.shape, below.shape), empty), where=below > 0))


def harmonic(first: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """sum_j 1 / (first + j) for j = 1..mass: digamma(first + mass + 1) - digamma(first + 1), without its cancellation."""
    x = first + 1.0
    y = x + mass
    u, v = x**-2, y**-2
    found = np.log1p(mass / x) + mass / (2.0 * x * y) + _tail(u) - _tail(v)
    small = x < SERIES
    found[small] = digamma(y[small]) - digamma(x[small])
    return np.asarray(found)


def _tail(u: np.ndarray) -> np.ndarray:
    return np.asarray(u * (1 / 12 - u * (1 / 120 - u / 252)))


def trigamma(x: np.ndarray) -> np.ndarray:
    """The derivative of digamma, for x > 0."""
    u = x**-2
    found = 1.0 / x + u / 2 + u / x * (1 / 6 - u * (1 / 30 - u / 42))
    small = x < SERIES
    found[small] = polygamma(1, x[small])
    return np.asarray(found)


def accepted(mass: np.ndarray, total: np.ndarray, share: float) -> np.ndarray:
    """The sum over the `share` of all mass with the most confidence, (draws,); a plateau that is cut counts in proportion.

    mass, total (draws, P). NaN in a draw without mass.
    """
    found = np.full(len(mass), np.nan)
    for b, (m, t) in enumerate(zip(mass, total, strict=True)):
        reached = np.cumsum(m)
        if reached[-1] > 0:
            found[b] = _part(reached, np.cumsum(t), share * reached[-1])
    return found


def _part(reached: np.ndarray, sums: np.ndarray, wanted: float) -> float:
    """The sum over the first `wanted` of the mass, by a straight line inside the plateau that is cut."""
    k = min(int(np.searchsorted(reached, wanted)), len(reached) - 1)
    low, held = (reached[k - 1], sums[k - 1]) if k else (0.0, 0.0)
    inside = min(1.0, (wanted - low) / (reached[k] - low)) if reached[k] > low else 1.0
    return float(held + inside * (sums[k] - held))


def taken(mass: np.ndarray, share: float) -> np.ndarray:
    """How much of each plateau (P,) lies in the most confident `share`: 1, 0, or a part of the one that is cut."""
    return np.asarray(np.clip(over(share * mass.sum() - before(mass), mass), 0.0, 1.0))


def local(mass: np.ndarray, total: np.ndarray, share: float) -> float:
    """The mean of what is summed near the place where the most confident `share` ends: over a window of n^0.8 examples."""
    reached, sums = np.cumsum(mass), np.cumsum(total)
    n = reached[-1]
    low, high = max(0.0, share * n - n**0.8 / 2), min(n, share * n + n**0.8 / 2)
    return float((_part(reached, sums, high) - _part(reached, sums, low)) / (high - low))


def along(mass: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares k / 100 (k / n of fewer examples), k = 1, 2, ..., and the sum over the most confident share; of one draw (P,)."""
    reached, sums = np.append(0.0, np.cumsum(mass)), np.append(0.0, np.cumsum(total))
    count = int(min(100, reached[-1]))
    x = np.arange(1, count + 1) / count
    return x, np.interp(x * reached[-1], reached, sums)


def areas(mass: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """AURC of every draw, (draws, P) -> (draws,): the mean of the selective risks r_k (see `aurc`), NaN in one without mass."""
    first = before(mass)
    sums = errors + (before(errors) - over(errors, mass) * first) * harmonic(first, mass)
    return over(sums.sum(axis=-1), mass.sum(axis=-1), np.nan)


def area_influence(predictions: Predictions) -> np.ndarray:
    """The derivative of AURC with respect to the weight of each example, times n, (n,), while the sum of the weights stays n.

    An example adds to the mass of its own plateau and to what comes before later ones; a wrong one to their errors too.
    """
    on = plateaus(predictions)
    mass, errors = (part[0] for part in tally(on, ~predictions.correct))
    first, rate = before(mass), errors / mass
    steps = harmonic(first, mass)
    excess = before(errors) - rate * first
    end = trigamma(first + mass + 1.0)
    of_mass = rate * first / mass * steps + excess * end + after(excess * (end - trigamma(first + 1.0)) - rate * steps)
    of_error = 1.0 - first / mass * steps + after(steps)
    found = on.spread(of_mass) + np.where(predictions.correct, 0.0, on.spread(of_error))
    return np.asarray(found - found.mean())
