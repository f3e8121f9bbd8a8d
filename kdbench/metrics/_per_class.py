"""Every class against the rest in bins of equal width: one table of sums a class, for all examples or for many draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from kdbench import Predictions

from ._bins import place, upper_edges

ROWS = 32_768
"""Examples whose probabilities are turned, class by class, at once."""

Parts: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Means over the examples of what lies in each bin, (..., M) each: 1, p, o, p (p - 2 o), for a forecast p and an outcome o."""
Number: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Parts of one class to its number, (..., M) to (...)."""
Slope: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Parts]
"""Parts (M,) of one class to the derivatives of its number with respect to each."""


def over_classes(predictions: Predictions, bins: int, weights: np.ndarray | None, number: Number) -> np.ndarray:
    """The sum over the classes of a number: () or, with weights (draws, n), (draws,). An empty draw gives NaN."""
    if weights is None:
        return np.asarray(number(*np.moveaxis(_sums(predictions, bins), 1, 0)).sum())
    size = weights.sum(axis=1, dtype=np.float64)
    turned = np.ascontiguousarray(weights.T, dtype=np.float64)
    total = np.zeros(len(weights))
    for values, code in _columns(predictions, bins):
        n = len(code)
        places = np.concatenate([code.astype(np.int64) + i * bins for i in range(4)])
        matrix = sparse.csr_array((np.concatenate(values), (places, np.tile(np.arange(n), 4))), shape=(4 * bins, n))
        means = np.divide(matrix @ turned, size, out=np.full((4 * bins, len(size)), np.nan), where=size > 0).T
        total += number(*(means[:, i * bins : (i + 1) * bins] for i in range(4)))
    return np.where(size > 0, total, np.nan)


def influence_over_classes(predictions: Predictions, bins: int, slope: Slope) -> np.ndarray:
    """What each example adds to the sum over the classes of a number, (n,), mean 0."""
    n = len(predictions.label)
    found, places = np.zeros(n), codes(predictions, bins)
    slopes = np.array([slope(*table) for table in _sums(predictions, bins)])  # (K, 4, M)
    used = np.asarray(slopes.any(axis=(0, 2)))
    for start in range(0, n, ROWS):
        rows = slice(start, start + ROWS)
        for k, p in enumerate(np.ascontiguousarray(predictions.probability[rows].T)):
            code, of = places[k, rows].astype(np.int64), slopes[k]
            found[rows] += of[0].take(code) if used[0] else 0.0
            found[rows] += of[1].take(code) * p if used[1] else 0.0
            found[rows] += of[3].take(code) * p**2 if used[3] else 0.0
    label, i = predictions.label, np.arange(n)
    code = places[label, i]
    found += slopes[label, 2, code]
    if used[3]:
        found -= 2.0 * slopes[label, 3, code] * predictions.probability[i, label]
    return np.asarray(found - found.mean())


def per(part: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Part / share, 0 in an empty bin."""
    return np.asarray(np.divide(part, share, out=np.zeros(np.shape(share)), where=share > 0))


def _columns(predictions: Predictions, bins: int) -> Iterator[tuple[Parts, np.ndarray]]:
    """Of each class the four columns (n,) behind `Parts`, and the bin of each example."""
    for k, code in enumerate(codes(predictions, bins)):
        p = np.ascontiguousarray(predictions.probability[:, k])
        outcome = (predictions.label == k).astype(np.float64)
        yield (np.ones(len(p)), p, outcome, p * (p - 2.0 * outcome)), code


def _sums(predictions: Predictions, bins: int) -> np.ndarray:
    """Parts of every class, (K, 4, M). Computed once for these predictions and bins: four metrics share them."""
    name = f"one_vs_rest_sums_{bins}"
    if name not in predictions.__dict__:
        n, classes = predictions.probability.shape
        found = np.zeros((classes, 4, bins))
        places = codes(predictions, bins)
        for start in range(0, n, ROWS):
            rows = slice(start, start + ROWS)
            for k, p in enumerate(np.ascontiguousarray(predictions.probability[rows].T)):
                code = places[k, rows].astype(np.int64)
                mine = predictions.label[rows] == k
                right, held = code[mine], p[mine]
                found[k, 0] += np.bincount(code, minlength=bins)
                found[k, 1] += np.bincount(code, weights=p, minlength=bins)
                found[k, 2] += np.bincount(right, minlength=bins)
                found[k, 3] += np.bincount(code, weights=p * p, minlength=bins)
                found[k, 3] -= 2.0 * np.bincount(right, weights=held, minlength=bins)
        predictions.__dict__[name] = found / max(1, n)
    sums: np.ndarray = predictions.__dict__[name]
    return sums


def codes(predictions: Predictions, bins: int) -> np.ndarray:
    """The bin of every probability, (K, n), in small integers; computed once, as above."""
    name = f"one_vs_rest_bins_{bins}"
    if name not in predictions.__dict__:
        n, classes = predictions.probability.shape
        found = np.empty((classes, n), dtype=np.uint8 if bins <= 256 else np.int64)
        upper = upper_edges(predictions, bins)
        for start in range(0, n, ROWS):
            rows = slice(start, start + ROWS)
            for k, p in enumerate(np.ascontiguousarray(predictions.probability[rows].T)):
                found[k, rows] = place(p, upper)
        predictions.__dict__[name] = found
    held: np.ndarray = predictions.__dict__[name]
    return held
