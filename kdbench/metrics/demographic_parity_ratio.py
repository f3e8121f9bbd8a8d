"""The smallest selection rate of a group over the largest."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._group_rates import decided, largest, quotient, smallest, spread_of_logarithms, width


@metric(
    form="groups",
    better="higher",
    unit="ratio",
    low=0.0,
    high=1.0,
    axis="bias",
    title="Demographic parity ratio",
    equation="min_g P(pred = 1 | g) / max_g P(pred = 1 | g)",
    source="fairlearn.metrics.demographic_parity_ratio; four fifths is the rule of the US Uniform Guidelines 1978",
    convention="between groups, not to the overall rate; 1 is the positive class; without one the smallest over classes, each "
    "against the rest; 0/0 is undefined",
    undefined="fewer than two groups, or nobody is decided for in any of them (0/0)",
    reads="decisions",
)
def demographic_parity_ratio(predictions: Predictions) -> Cells:
    """The decision of each example, as a cell."""
    return decided(predictions)


def finish(means: np.ndarray) -> np.ndarray:
    """From the selection rates of the groups (..., G, C), (...)."""
    return smallest(quotient(means))


def deviations(means: np.ndarray) -> np.ndarray:
    """Of which minus the logarithm of the number is the size: log rates less their mean over the groups,
    (..., C, G).
    """
    return spread_of_logarithms(means)


def size(of: np.ndarray) -> np.ndarray:
    """The largest range over the groups."""
    return largest(width(of))
