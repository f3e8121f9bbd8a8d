"""The smallest true positive rate of a group over the largest."""

from __future__ import annotations

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


def deviations(means: np.ndarray) -> np.ndarray:
    """Of which minus the logarithm of the number is the size: log true positive rates less their mean over the groups,
    (..., C, G).
    """
    true, _, there = rates(means)
    return spread_of_logarithms(true, there)


def size(of: np.ndarray) -> np.ndarray:
    """The largest range over the groups."""
    return largest(width(of))
