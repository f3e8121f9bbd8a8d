"""How much can be answered while the answers are wrong no more often than allowed."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, ProperFraction, metric

from ._selective import local, over, plateaus, taken, tally


@metric(
    form="set",
    better="higher",
    low=0.0,
    high=1.0,
    axis="selective",
    title="Coverage at risk",
    equation="max over thresholds t of |{c >= t}| / n such that errors in {c >= t} / |{c >= t}| <= risk",
    source="Geifman and El-Yaniv 2017 (Selective classification for deep neural networks), empirical, without their bound",
    convention="the largest coverage, also where the risk is higher at a smaller one; a threshold accepts equal confidences "
    "together; 0 (no threshold does it: nothing can be answered), where torch-uncertainty gives NaN; the threshold is chosen on "
    "these examples, so it promises nothing for others",
    reads="probabilities",
)
def coverage_at_risk(
    predictions: Predictions, weights: np.ndarray | None = None, *, risk: ProperFraction = 0.05
) -> np.ndarray | float:
    """The coverage, of one set or of all draws (draws, n) -> (draws,)."""
    mass, errors = tally(plateaus(predictions), ~predictions.correct, weights)
    found = _coverage(mass, errors, risk)
    return found if weights is not None else float(found[0])


def _coverage(mass: np.ndarray, errors: np.ndarray, risk: float) -> np.ndarray:
    reached = np.cumsum(mass, axis=-1)
    held = (over(np.cumsum(errors, axis=-1), reached) <= risk) & (reached > 0)
    last = held.shape[-1] - 1 - np.argmax(held[..., ::-1], axis=-1)
    end = np.take_along_axis(reached, last[..., None], axis=-1)[..., 0]
    return np.where(held.any(axis=-1), over(end, reached[..., -1]), over(0.0 * end, reached[..., -1], np.nan))


def influence(predictions: Predictions, *, risk: ProperFraction = 0.05) -> np.ndarray:
    """The derivative with respect to the weight of each example, times n, (n,), where the risk crosses its limit at one place.

    There errors(c) = risk c n: an accepted example moves the balance by error - risk, and the place by that over the local error
    rate less `risk` (at least one standard error of it, so that a flat crossing stays finite). 0 where nothing is accepted.
    """
    on = plateaus(predictions)
    mass, errors = (part[0] for part in tally(on, ~predictions.correct))
    share = float(_coverage(mass[None], errors[None], risk)[0])
    n = len(predictions.pred)
    if share == 0.0:
        return np.zeros(n)
    slope = max(local(mass, errors, share) - risk, (risk * (1 - risk) / n**0.8) ** 0.5)
    inside = on.spread(taken(mass, share))
    found = inside * (1.0 - (~predictions.correct - risk) / slope)
    return np.asarray(found - found.mean())
