"""How far apart the error rates of groups are."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Cells, Predictions, metric

from ._group_rates import confusion, gap, largest, rates, spread, width


@metric(
    form="groups",
    better="lower",
    low=0.0,
    high=1.0,
    axis="bias",
    title="Equalized odds difference",
    equation="max or mean of max_g TPR_g - min_g TPR_g and max_g FPR_g - min_g FPR_g",
    source="Hardt, Price and Srebro 2016; fairlearn.metrics.equalized_odds_difference",
    convention="between groups; of the positive class; without one the largest over the classes among the labels, each against "
    "the rest; a group without positives or negatives makes it undefined, where fairlearn takes a rate of 0",
    undefined="fewer than two groups, or a group without positive or without negative examples",
    reads="decisions",
)
def equalized_odds_difference(
    predictions: Predictions, *, agg: Literal["worst_case", "mean"] = "worst_case"
) -> tuple[Cells, ...]:
    """Label and decision of each example, as cells. agg: the larger of the two differences, or their mean."""
    return confusion(predictions)


def finish(means: np.ndarray, *, agg: Literal["worst_case", "mean"] = "worst_case") -> np.ndarray:
    """From the shares of the cells within groups (..., G, d), (...)."""
    true, false, there = rates(means)
    both = np.stack([gap(true), gap(false)])
    return largest(both.max(axis=0) if agg == "worst_case" else both.mean(axis=0), there)


def deviations(means: np.ndarray) -> np.ndarray:
    """What the number is the size of: both rates less their mean over the groups, (..., 2, C, G)."""
    true, false, there = rates(means)
    return np.stack([spread(true, there), spread(false, there)], axis=-3)


def size(of: np.ndarray, *, agg: Literal["worst_case", "mean"] = "worst_case") -> np.ndarray:
    """The largest over the classes, of the larger of the two ranges or of their mean."""
    both = width(of)
    return largest(both.max(axis=-2) if agg == "worst_case" else both.mean(axis=-2))
