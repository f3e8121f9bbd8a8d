"""Mean gap over the bins, each counted alike (netcal's "average calibration error", Neumann et al. 2018)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Count, Predictions, metric

from ._bins import parts, top_label
from ._fourfold import ratio


@metric(
    better="lower",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="ECE, unweighted",
    convention="netcal calls it ACE (average calibration error); Nixon's ACE is ace_nixon, and adaptive ECE is ece_equal_mass. "
    "The bins of ece, a bin of one example counting as much as a bin of all",
    equation="1/M' sum_m |acc(B_m) - conf(B_m)| over the M' bins with examples",
    source="Neumann et al. 2018, Relaxed softmax; netcal ACE",
    reads="probabilities",
)
def ece_unweighted(predictions: Predictions, *, bins: Count = 15) -> Cells:
    """The bin of each of n examples, with its confidence and 1[right]."""
    return top_label(predictions, bins)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 3 M) to (...): the mean gap of the bins with examples."""
    share, gap, _ = parts(means)
    return ratio(np.nan_to_num(gap).sum(axis=-1), (share > 0).sum(axis=-1))


def deviations(means: np.ndarray) -> np.ndarray:
    """What the number is the size of: the signed gaps over the count of bins with examples, (..., M); 0 where a bin is empty."""
    share, _, signed = parts(means)
    count = np.maximum((share > 0).sum(axis=-1, keepdims=True), 1)
    return np.asarray(np.divide(signed, share, out=np.zeros(share.shape), where=share > 0) / count)


def size(of: np.ndarray) -> np.ndarray:
    """The sum of the absolute deviations."""
    return np.asarray(np.abs(of).sum(axis=-1))
