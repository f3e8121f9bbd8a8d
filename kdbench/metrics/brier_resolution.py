"""The part of the Brier score that a forecast gains by telling examples apart (Murphy 1973)."""

from __future__ import annotations

import numpy as np

from kdbench import Count, Predictions, metric

from ._per_class import Parts, influence_over_classes, over_classes, per


@metric(
    form="set",
    better="higher",
    unit="score",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="Brier resolution",
    convention="every class against the rest, summed over the classes as in brier (two classes: twice the binary value), in "
    "equal-width right-closed bins of p_k; at most brier_uncertainty. It is subtracted: see brier_reliability",
    undefined="no examples",
    equation="RES = sum_k sum_m |B_mk| / n (ybar_k(B_mk) - ybar_k)^2",
    source="Murphy 1973, A new vector partition of the probability score; with bins Stephenson et al. 2008",
    reads="probabilities",
)
def brier_resolution(predictions: Predictions, weights: np.ndarray | None = None, *, bins: Count = 15) -> np.ndarray | float:
    """The sum over classes and bins of share (frequency - base rate)^2. weights (draws, n) gives (draws,)."""
    found = over_classes(predictions, bins, weights, _number)
    return found if weights is not None else float(found)


def influence(predictions: Predictions, *, bins: Count = 15) -> np.ndarray:
    """What each example adds to the value, (n,), mean 0."""
    return influence_over_classes(predictions, bins, _slope)


def _number(share: np.ndarray, _forecast: np.ndarray, outcome: np.ndarray, _beside: np.ndarray) -> np.ndarray:
    apart = per(outcome, share) - outcome.sum(axis=-1, keepdims=True)
    return np.asarray((share * apart**2).sum(axis=-1))


def _slope(share: np.ndarray, _forecast: np.ndarray, outcome: np.ndarray, _beside: np.ndarray) -> Parts:
    frequency, zero = per(outcome, share), np.zeros(share.shape)
    return -(frequency**2), zero, 2.0 * (frequency - outcome.sum()), zero
