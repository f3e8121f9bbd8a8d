"""The smallest error rates of groups over the largest."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Cells, Predictions, metric

from ._group_rates import confusion, quotient, rates, smallest


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
