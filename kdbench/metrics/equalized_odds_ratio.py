"""The smallest error rates of groups over the largest."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Cells, Predictions, metric

from ._group_rates import confusion, largest, quotient, rates, smallest, spread_of_logarithms, width


@metric(
    form="groups",
    better="higher",
    unit="ratio",
    low=0.0,
    high=1.0,
    axis="bias",
    title="Equalized odds ratio",
    equation="min or mean of min_g TPR_g / max_g TPR_g and min_g FPR_g / max_g FPR_g",
    source="fairlearn.metrics.equalized_odds_ratio",
    convention="between groups; of the positive class; without one the smallest over the classes among the labels, each against "
    "the rest; a group without positives or negatives makes it undefined, where fairlearn takes a rate of 0; so does 0/0, which "
    "fairlearn leaves out where it is the ratio of the FPRs",
    undefined="fewer than two groups, a group without positive or without negative examples, or a rate of 0 everywhere (0/0)",
    reads="decisions",
)
def equalized_odds_ratio(predictions: Predictions, *, agg: Literal["worst_case", "mean"] = "worst_case") -> tuple[Cells, ...]:
    """Label and decision of each example, as cells. agg: the smaller of the two ratios, or their mean."""
    return confusion(predictions)


def finish(means: np.ndarray, *, agg: Literal["worst_case", "mean"] = "worst_case") -> np.ndarray:
    """From the shares of the cells within groups (..., G, d), (...)."""
    true, false, there = rates(means)
    both = np.stack([quotient(true), quotient(false)])
    return smallest(both.min(axis=0) if agg == "worst_case" else both.mean(axis=0), there)


def deviations(means: np.ndarray) -> np.ndarray:
    """Of which minus the logarithm of the number is the size: the logarithms of both rates less their mean over the groups,
    (..., 2, C, G).
    """
    true, false, there = rates(means)
    return np.stack([spread_of_logarithms(true, there), spread_of_logarithms(false, there)], axis=-3)


def size(of: np.ndarray, *, agg: Literal["worst_case", "mean"] = "worst_case") -> np.ndarray:
    """The largest range over both rates and the classes; that of the mean of two ratios is no size, and is NaN."""
    return largest(width(of).max(axis=-2)) if agg == "worst_case" else np.full(of.shape[:-3], np.nan)
