"""How often the most confident answers are wrong."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, ProperFraction, metric

from ._selective import accepted, local, over, plateaus, taken, tally


@metric(
    form="set",
    better="lower",
    low=0.0,
    high=1.0,
    axis="selective",
    title="Risk at coverage",
    equation="errors among the c n most confident / (c n)",
    source="El-Yaniv and Wiener 2010 (On the foundations of noise-free selective classification)",
    convention="of exactly c n examples: an example, or a plateau of equal confidences, that the limit cuts counts in proportion "
    "(torch-uncertainty rounds c n up to a whole number)",
    reads="probabilities",
)
def risk_at_coverage(
    predictions: Predictions, weights: np.ndarray | None = None, *, coverage: ProperFraction = 0.8
) -> np.ndarray | float:
    """The selective risk, of one set or of all draws (draws, n) -> (draws,)."""
    mass, errors = tally(plateaus(predictions), ~predictions.correct, weights)
    risk = np.clip(over(accepted(mass, errors, coverage), coverage * mass.sum(axis=-1), np.nan), 0.0, 1.0)
    return risk if weights is not None else float(risk[0])


def influence(predictions: Predictions, *, coverage: ProperFraction = 0.8) -> np.ndarray:
    """The derivative with respect to the weight of each example, times n, (n,): a(i) (error(i) - e) / c, less its mean.

    a: 1 where accepted; e: the error rate near the limit, because one more accepted example pushes out another there.
    """
    on = plateaus(predictions)
    mass, errors = (part[0] for part in tally(on, ~predictions.correct))
    found = on.spread(taken(mass, coverage)) * (~predictions.correct - local(mass, errors, coverage)) / coverage
    return np.asarray(found - found.mean())
