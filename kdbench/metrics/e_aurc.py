"""How far the order by confidence is from the best order that these errors allow."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._selective import area_influence, areas, harmonic, over, plateaus, tally, trigamma


@metric(
    form="set",
    better="lower",
    low=0.0,
    high=1.0,
    axis="selective",
    title="E-AURC",
    equation="E-AURC = AURC - AURC*, AURC* = 1/n sum_{k=n-E+1..n} (k - (n - E)) / k: the same E errors of n, all of them last",
    source="Geifman, Uziel and El-Yaniv 2019 (Bias-reduced uncertainty estimation)",
    convention="AURC* is the empirical optimum, not its limit e + (1 - e) ln(1 - e); AURC as in `aurc`, ties by plateau",
    reads="probabilities",
)
def e_aurc(predictions: Predictions, weights: np.ndarray | None = None) -> np.ndarray | float:
    """The excess, of one set or of all draws (draws, n) -> (draws,). 0 where every error is less confident than every hit."""
    mass, errors = tally(plateaus(predictions), ~predictions.correct, weights)
    n, wrong = mass.sum(axis=-1), errors.sum(axis=-1)
    best = over(wrong - (n - wrong) * harmonic(n - wrong, wrong), n)
    excess = np.maximum(areas(mass, errors) - best, 0.0)  # rounding can leave -1e-17
    return excess if weights is not None else float(excess[0])


def influence(predictions: Predictions) -> np.ndarray:
    """The derivative with respect to the weight of each example, times n, (n,): that of AURC, less that of the optimum."""
    wrong = ~predictions.correct
    n, right = np.array([float(len(wrong))]), np.array([float(len(wrong) - wrong.sum())])
    by_total = -right * trigamma(n + 1.0)
    by_right = -harmonic(right, n - right) + right * trigamma(right + 1.0)
    best = np.where(wrong, 1.0, by_right) + by_total
    return np.asarray(area_influence(predictions) - (best - best.mean()))
