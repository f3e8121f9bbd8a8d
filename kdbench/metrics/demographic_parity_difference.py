"""How far apart the selection rates of groups are."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._group_rates import decided, gap, largest, spread, width


@metric(
    form="groups",
    better="lower",
    low=0.0,
    high=1.0,
    axis="bias",
    title="Demographic parity difference",
    equation="max_g P(pred = 1 | g) - min_g P(pred = 1 | g)",
    source="Agarwal et al. 2018; fairlearn.metrics.demographic_parity_difference",
    convention="between groups, not to the overall rate; 1 is the positive class; without one the largest over classes, each "
    "against the rest",
    undefined="fewer than two groups",
    reads="decisions",
)
def demographic_parity_difference(predictions: Predictions) -> Cells:
    """The decision of each example, as a cell."""
    return decided(predictions)


def finish(means: np.ndarray) -> np.ndarray:
    """From the selection rates of the groups (..., G, C), (...)."""
    return largest(gap(means))


def deviations(means: np.ndarray) -> np.ndarray:
    """What the number is the size of: the rates less their mean over the groups, (..., C, G)."""
    return spread(means)


def size(of: np.ndarray) -> np.ndarray:
    """The largest range over the groups."""
    return largest(width(of))
