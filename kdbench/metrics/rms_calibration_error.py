"""Root mean square calibration error of the top label (Hendrycks et al. 2019)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Count, Predictions, metric

from ._bins import parts, top_label


@metric(
    better="lower",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="RMS calibration error",
    convention="the l2 norm where ece is the l1 norm (torchmetrics: norm='l2'), over the bins of ece: equal width, "
    "right-closed. The plug-in value, biased upwards: see rms_calibration_error_debiased",
    equation="sqrt(sum_m |B_m| / n (acc(B_m) - conf(B_m))^2)",
    source="Hendrycks et al. 2019, Deep anomaly detection with outlier exposure; Kumar et al. 2019, definition 2.2 (p = 2)",
    reads="probabilities",
)
def rms_calibration_error(predictions: Predictions, *, bins: Count = 15) -> Cells:
    """The bin of each of n examples, with its confidence and 1[right]."""
    return top_label(predictions, bins)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 3 M) to (...): the root of the mean square gap; an empty bin adds nothing."""
    _, gap, signed = parts(means)
    return np.asarray(np.sqrt((np.nan_to_num(gap) * np.abs(signed)).sum(axis=-1)))


def deviations(means: np.ndarray) -> np.ndarray:
    """What the number is the size of: signed sum over root of the share of each bin, (..., M)."""
    share, _, signed = parts(means)
    return np.asarray(np.divide(signed, np.sqrt(share), out=np.zeros(share.shape), where=share > 0))


def size(of: np.ndarray) -> np.ndarray:
    """The Euclidean norm of the deviations."""
    return np.asarray(np.sqrt((of**2).sum(axis=-1)))
