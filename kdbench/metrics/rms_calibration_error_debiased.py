"""Root mean square calibration error with its upward bias removed (Kumar et al. 2019)."""

from __future__ import annotations

import numpy as np

from kdbench import Count, Predictions, Undefined, metric

from ._bins import place, upper_edges


@metric(
    form="set",
    better="lower",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="RMS calibration error, debiased",
    convention="rms_calibration_error less what chance adds to a square, before the root; the bins of ece (Kumar's own code "
    "takes bins of equal mass); a negative square gives 0, a bin of one example adds nothing. Unbiased before the root",
    undefined="no bin holds two examples",
    equation="sqrt(max(0, sum_m |B_m| / n ((acc_m - conf_m)^2 - acc_m (1 - acc_m) / (|B_m| - 1))))",
    source="Kumar et al. 2019, Verified uncertainty calibration, definition 5.1",
    reads="probabilities",
)
def rms_calibration_error_debiased(
    predictions: Predictions, weights: np.ndarray | None = None, *, bins: Count = 15
) -> np.ndarray | float:
    """The root of the debiased mean square gap. weights (draws, n) gives (draws,)."""
    code, values = place(predictions.confidence, upper_edges(predictions, bins)), (predictions.confidence, predictions.correct)
    if weights is None:
        count, confidence, right = (np.bincount(code, weights=w, minlength=bins)[None] for w in (None, *values))
        found = float(_root(count, confidence, right)[0])
        if np.isnan(found):
            raise Undefined(f"none of {bins} bins holds two of the {len(code)} examples")
        return found
    return _root(*np.moveaxis(_sums(code, values, weights, bins), -1, 0))


def _sums(code: np.ndarray, values: tuple[np.ndarray, ...], weights: np.ndarray, bins: int) -> np.ndarray:
    """The weighted sums of 1 and of the values in each bin, (draws, bins, 1 + values): a matrix product for each bin."""
    order = np.argsort(code.astype(np.int16), kind="stable")
    ends = np.searchsorted(code[order], np.arange(bins + 1))
    columns = np.stack([np.ones(len(code)), *values], axis=1)[order]
    sorted_weights = weights.take(order, axis=1)
    spans = list(zip(ends[:-1], ends[1:], strict=True))
    return np.stack([sorted_weights[:, low:high].astype(np.float64) @ columns[low:high] for low, high in spans], axis=1)


def _root(count: np.ndarray, confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sums of each bin, (draws, M), to (draws,)."""
    enough = count > 1
    safe = np.where(enough, count, 2.0)
    accuracy = right / safe
    square = ((confidence - right) / safe) ** 2 - accuracy * (1.0 - accuracy) / (safe - 1.0)
    total = np.where(enough, count * square, 0.0).sum(axis=1)
    n = np.where(enough.any(axis=1), count.sum(axis=1), np.nan)
    return np.asarray(np.sqrt(np.maximum(total / n, 0.0)))
