"""Expected calibration error after temperature scaling (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Count, Predictions, metric

from ._bins import parts, top_label
from ._scaled import scaled


@metric(
    better="lower",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="ECE after temperature scaling",
    convention="ece of logits / T, T fitted on the clean validation split by NLL (not by ECE), and applied unchanged to "
    "test and shifted sets; the interval takes T as given. Same bins as ece",
    undefined="no temperature between 0.001 and 1000 is best",
    equation="ECE of softmax(z / T*), T* as in temperature",
    source="Guo et al. 2017, On calibration of modern neural networks, table 1",
    reads="probabilities",
)
def ece_temperature_scaled(predictions: Predictions, validation: Predictions, *, bins: Count = 15) -> Cells:
    """The bin of each of n examples, with its scaled confidence and 1[right]."""
    return top_label(predictions, bins, scaled(predictions, validation).confidence)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 3 M) to (...): sum_m |sum of right - sum of confidence| / n."""
    return np.asarray(np.abs(parts(means)[2]).sum(axis=-1))


def deviations(means: np.ndarray) -> np.ndarray:
    """What the number is the size of: the signed sums of the bins, (..., M)."""
    return parts(means)[2]


def size(of: np.ndarray) -> np.ndarray:
    """The sum of the absolute deviations."""
    return np.asarray(np.abs(of).sum(axis=-1))
