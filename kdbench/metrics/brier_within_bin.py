"""What binning hides of the Brier score: spread of the forecasts within bins, less their covariance with the outcomes."""

from __future__ import annotations

import numpy as np

from kdbench import Count, Predictions, metric

from ._per_class import Parts, influence_over_classes, over_classes, per


@metric(
    form="set",
    better="none",
    unit="score",
    low=-2.0,
    high=2.0,
    axis="calibration",
    title="Brier, within bins",
    convention="within-bin variance minus within-bin covariance (WBV - WBC), summed over the classes as in brier: the term "
    "without which the parts do not add up once forecasts are binned. Below 0 where forecasts tell examples apart inside a bin",
    undefined="no examples",
    equation="1/n sum_k sum_m sum_{i in B_mk} (p_ik - pbar_k(B_mk))^2 - 2 (p_ik - pbar_k(B_mk)) (y_ik - ybar_k(B_mk))",
    source="Stephenson et al. 2008, Two extra components in the Brier score decomposition",
    reads="probabilities",
)
def brier_within_bin(predictions: Predictions, weights: np.ndarray | None = None, *, bins: Count = 15) -> np.ndarray | float:
    """WBV - WBC, summed over classes and bins. weights (draws, n) gives (draws,)."""
    found = over_classes(predictions, bins, weights, _number)
    return found if weights is not None else float(found)


def influence(predictions: Predictions, *, bins: Count = 15) -> np.ndarray:
    """What each example adds to the value, (n,), mean 0."""
    return influence_over_classes(predictions, bins, _slope)


def _number(share: np.ndarray, forecast: np.ndarray, outcome: np.ndarray, beside: np.ndarray) -> np.ndarray:
    return np.asarray((beside - per(forecast * (forecast - 2.0 * outcome), share)).sum(axis=-1))


def _slope(share: np.ndarray, forecast: np.ndarray, outcome: np.ndarray, _beside: np.ndarray) -> Parts:
    p, o = per(forecast, share), per(outcome, share)
    return p * (p - 2.0 * o), -2.0 * (p - o), 2.0 * p, np.ones(share.shape)
