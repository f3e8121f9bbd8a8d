"""Bins of forecasts, and what a table of bins says. Shared by the metrics of calibration."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions

STEP = 32_768
"""Forecasts that are placed at once: they stay in the processor's cache."""
FEW = 64
"""Up to so many edges one comparison an edge is faster than a search."""
SLACK = 1e-7
"""Probabilities that were given as such are kept as float32 logarithms: they are known to about 3e-8."""


def place(forecast: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """The bin of each forecast (n,), int64: how many of the upper edges (M - 1,), ascending, lie below it.

    So a forecast on an edge belongs to the bin below: ((m-1)/M, m/M]. Compared with the edges themselves: a product with M
    rounds, and would move forecasts that lie on an edge.
    """
    if len(upper) > FEW:
        return np.searchsorted(upper, forecast, side="left").astype(np.int64)
    code = np.empty(len(forecast), dtype=np.int64)
    for start in range(0, len(forecast), STEP):
        part = forecast[start : start + STEP]
        count = np.zeros(len(part), dtype=np.uint8)
        for edge in upper:
            count += part > edge
        code[start : start + STEP] = count
    return code


def upper_edges(predictions: Predictions, bins: int) -> np.ndarray:
    """The edges m / M, (M - 1,), of right-closed bins of equal width; 0 lies in the first bin, 1 in the last.

    For given probabilities each edge is higher by `SLACK`, so that 0.6 lies on the edge 9/15, as in the file, and not above it.
    """
    edges = np.arange(1, bins) / bins
    return edges + SLACK if predictions.kind == "probabilities" else edges


def top_label(predictions: Predictions, bins: int, confidence: np.ndarray | None = None) -> Cells:
    """Equal-width bins of the confidence (n,) of n decisions, with it and 1[right] as values: 3 M columns."""
    confidence = predictions.confidence if confidence is None else confidence
    return Cells(place(confidence, upper_edges(predictions, bins)), bins, (confidence, predictions.correct))


def parts(means: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(..., 3 M) of `top_label` as share, gap and signed sum, (..., M) each.

    gap: |accuracy - mean confidence| of a bin, NaN where it is empty; signed sum: share times (mean confidence - accuracy).
    """
    share, confidence, right = np.split(np.asarray(means, dtype=np.float64), 3, axis=-1)
    signed = confidence - right
    gap = np.divide(np.abs(signed), share, out=np.full(share.shape, np.nan), where=share > 0)
    return share, gap, signed
