"""How far apart the true positive rates of groups are."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._group_rates import confusion, gap, largest, rates, spread, width


@metric(
    form="groups",
    better="lower",
    low=0.0,
    high=1.0,
    axis="bias",
    title="Equal opportunity difference",
    equation="max_g P(pred = 1 | label = 1, g) - min_g P(pred = 1 | label = 1, g)",
    source="Hardt, Price and Srebro 2016; fairlearn.metrics.equal_opportunity_difference",
    convention="between groups; 1 is the positive class; without one the largest over the classes among the labels, each "
    "against the rest; a group without positives makes it undefined, where fairlearn takes a rate of 0",
    undefined="fewer than two groups, or a group without positive examples",
    reads="decisions",
)
def equal_opportunity_difference(predictions: Predictions) -> tuple[Cells, ...]:
    """Label and decision of each example, as cells."""
    return confusion(predictions)


def finish(means: np.ndarray) -> np.ndarray:
    """From the shares of the cells within groups (..., G, d), (...)."""
    true, _, there = rates(means)
    return largest(gap(true), there)


def deviations(means: np.ndarray) -> np.ndarray:
    """What the number is the size of: the true positive rates less their mean over the groups, (..., C, G)."""
    true, _, there = rates(means)
    return spread(true, there)


def size(of: np.ndarray) -> np.ndarray:
    """The largest range over the groups."""
    return largest(width(of))
