"""Expected calibration error of the top label (Guo et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdbench import Count, Predictions, metric


@metric(
    better="lower",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="ECE",
    convention="top label, equal-width right-closed bins ((m-1)/M, m/M], confidence 1 in the last; weighted by share",
)
def ece(predictions: Predictions, *, bins: Count = 15) -> np.ndarray:
    """Columns (n, 3 M): of each bin 1[in it], 1[in it] confidence, 1[in it] 1[right]. They make number and diagram."""
    confidence = np.clip(predictions.confidence, 0.0, 1.0)  # softmax may round to 1 + 2e-16
    upper = np.arange(1, bins) / bins
    place = np.searchsorted(upper, confidence, side="left")  # right-closed: an edge belongs to the bin below it
    inside = place[:, None] == np.arange(bins)
    return np.concatenate([inside, inside * confidence[:, None], inside * predictions.correct[:, None]], axis=1).astype(
        np.float64
    )


def finish(means: np.ndarray) -> np.ndarray:
    """sum_m |sum of right - sum of confidence| / n; an empty bin adds nothing."""
    _, confidence, right = np.split(means, 3, axis=-1)
    return np.asarray(np.abs(right - confidence).sum(axis=-1))


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
