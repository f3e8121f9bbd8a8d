"""The smallest true positive rate of a group over the largest."""

from __future__ import annotations

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
    title="Equal opportunity ratio",
    equation="min_g P(pred = 1 | label = 1, g) / max_g P(pred = 1 | label = 1, g)",
    source="fairlearn.metrics.equal_opportunity_ratio",
    convention="between groups; 1 is the positive class; without one the smallest over the classes among the labels, each "
    "against the rest; a group without positives makes it undefined, where fairlearn takes a rate of 0; 0/0 is undefined",
    undefined="fewer than two groups, a group without positive examples, or no true positive in any group (0/0)",
    reads="decisions",
)
def equal_opportunity_ratio(predictions: Predictions) -> tuple[Cells, ...]:
    """Label and decision of each example, as cells."""
    return confusion(predictions)


def finish(means: np.ndarray) -> np.ndarray:
    """From the shares of the cells within groups (..., G, d), (...)."""
    true, _, there = rates(means)
    return smallest(quotient(true), there)
