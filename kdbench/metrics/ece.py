"""Expected calibration error of the top label (Guo et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdbench import Cells, Count, Predictions, metric

from ._bins import parts, top_label


@metric(
    better="lower",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="ECE",
    convention="top label, equal-width right-closed bins ((m-1)/M, m/M], confidence 1 in the last; weighted by share; mean "
    "confidence of a bin, not its centre. The plug-in value: biased upwards, most for few examples and good calibration",
    equation="sum_m |B_m| / n |acc(B_m) - conf(B_m)|",
    source="Guo et al. 2017, On calibration of modern neural networks, eq. 3; Naeini et al. 2015",
    reads="probabilities",
)
def ece(predictions: Predictions, *, bins: Count = 15) -> Cells:
    """The bin of each of n examples, with its confidence and 1[right]: these means make the number and the diagram."""
    return top_label(predictions, bins)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 3 M) to (...): sum_m |sum of right - sum of confidence| / n; an empty bin adds nothing."""
    return np.asarray(np.abs(parts(means)[2]).sum(axis=-1))


def deviations(means: np.ndarray) -> np.ndarray:
    """What the number is the size of: the signed sums of the bins, (..., M)."""
    return parts(means)[2]


def size(of: np.ndarray) -> np.ndarray:
    """The sum of the absolute deviations."""
    return np.asarray(np.abs(of).sum(axis=-1))


def curve(means: np.ndarray) -> Mapping[str, str | np.ndarray]:
    """The reliability diagram, one point a bin: x mean confidence, y accuracy (NaN in an empty bin), share of examples, edges."""
    share, confidence, right = np.split(means, 3)
    bins = len(share)
    x, y = (np.divide(v, share, out=np.full(bins, np.nan), where=share > 0) for v in (confidence, right))
    return {
        "name": "reliability",
        "low": np.arange(bins) / bins,
        "high": np.arange(1, bins + 1) / bins,
        "x": x,
        "y": y,
        "share": share,
    }
