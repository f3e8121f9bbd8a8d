"""Maximum calibration error of the top label (Naeini et al. 2015)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Count, Predictions, metric

from ._bins import parts, top_label


@metric(
    better="lower",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="MCE",
    convention="the bins of ece: equal width, right-closed; the largest gap of any bin that holds an example, however few: "
    "a single example can decide it",
    equation="max_m |acc(B_m) - conf(B_m)| over bins with examples",
    source="Naeini et al. 2015; Guo et al. 2017, eq. 5",
    reads="probabilities",
)
def mce(predictions: Predictions, *, bins: Count = 15) -> Cells:
    """The bin of each of n examples, with its confidence and 1[right]."""
    return top_label(predictions, bins)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 3 M) to (...): the largest gap; NaN without any example."""
    gap = parts(means)[1]
    largest = np.where(np.isnan(gap), -1.0, gap).max(axis=-1)
    return np.asarray(np.where(largest < 0, np.nan, largest))


def deviations(means: np.ndarray) -> np.ndarray:
    """What the number is the size of: the signed gaps of the bins, (..., M); 0 where a bin is empty."""
    share, _, signed = parts(means)
    return np.asarray(np.divide(signed, share, out=np.zeros(share.shape), where=share > 0))


def size(of: np.ndarray) -> np.ndarray:
    """The largest absolute deviation."""
    return np.asarray(np.abs(of).max(axis=-1))
