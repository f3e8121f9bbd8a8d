"""The part of the Brier score that is miscalibration (Murphy 1973)."""

from __future__ import annotations

import numpy as np

from kdbench import Count, Predictions, metric

from ._per_class import Parts, influence_over_classes, over_classes, per


@metric(
    form="set",
    better="lower",
    unit="score",
    low=0.0,
    high=2.0,
    axis="calibration",
    title="Brier reliability",
    convention="every class against the rest, summed over the classes as in brier (two classes: twice the binary value), in "
    "equal-width right-closed bins of p_k. brier = brier_reliability - brier_resolution + brier_uncertainty + brier_within_bin",
    undefined="no examples",
    equation="REL = sum_k sum_m |B_mk| / n (pbar_k(B_mk) - ybar_k(B_mk))^2",
    source="Murphy 1973, A new vector partition of the probability score; with bins Stephenson et al. 2008",
    reads="probabilities",
)
def brier_reliability(predictions: Predictions, weights: np.ndarray | None = None, *, bins: Count = 15) -> np.ndarray | float:
    """The sum over classes and bins of share (mean forecast - frequency)^2. weights (draws, n) gives (draws,)."""
    found = over_classes(predictions, bins, weights, _number)
    return found if weights is not None else float(found)


def influence(predictions: Predictions, *, bins: Count = 15) -> np.ndarray:
    """What each example adds to the value, (n,), mean 0."""
    return influence_over_classes(predictions, bins, _slope)


def _number(share: np.ndarray, forecast: np.ndarray, outcome: np.ndarray, _beside: np.ndarray) -> np.ndarray:
    return np.asarray(per((forecast - outcome) ** 2, share).sum(axis=-1))


def _slope(share: np.ndarray, forecast: np.ndarray, outcome: np.ndarray, _beside: np.ndarray) -> Parts:
    gap = per(forecast - outcome, share)
    return -(gap**2), 2.0 * gap, -2.0 * gap, np.zeros(share.shape)
