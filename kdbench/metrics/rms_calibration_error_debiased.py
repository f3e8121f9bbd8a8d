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


def influence(predictions: Predictions, *, bins: Count = 15) -> np.ndarray | None:
    """The slope of the number for the weight of each of n examples, times n; None within 4 standard errors of the clip at 0."""
    n = len(predictions.pred)
    code, right = place(predictions.confidence, upper_edges(predictions, bins)), predictions.correct.astype(np.float64)
    sums = [np.bincount(code, weights=w, minlength=bins) for w in (None, predictions.confidence, right)]
    count, confidence, hits = (np.where(sums[0] > 1, s, np.nan) for s in sums)
    gap, accuracy = (confidence - hits) / count, hits / count
    chance = accuracy * (1 - accuracy) / (count - 1)
    value = np.nansum(count / n * (gap**2 - chance))
    slope = gap**2 - chance - value  # of the share of a bin; then of its mean gap, and of what chance adds
    moved = 2 * gap[code] * (predictions.confidence - right - gap[code])
    added = (1 - 2 * accuracy[code]) * (right - accuracy[code]) / (count[code] - 1) - chance[code] * count[code] / (
        count[code] - 1
    )
    found = np.nan_to_num(slope[code] + moved - added, nan=-value)
    if value <= 4 * found.std() / np.sqrt(n):
        return None
    found -= found.mean()
    return np.asarray(found / (2 * np.sqrt(value)))
