"""Probabilities after temperature scaling, as far as the metrics need them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdbench import Predictions, fit_temperature

ROWS = 8_192
"""Examples whose logits are exponentiated at once."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """Of softmax(logits / T), (n,) each: log p of the label, p of the decision, and the sum of all p squared."""

    log_of_label: np.ndarray
    confidence: np.ndarray
    squares: np.ndarray


def scaled(predictions: Predictions, validation: Predictions) -> Scaled:
    """What these n predictions say with logits / T, T fitted on the validation predictions; decisions stay. Raises Undefined."""
    temperature, n = fit_temperature(validation), len(predictions.label)
    found = Scaled(*np.empty((3, n)))
    for start in range(0, n, ROWS):
        rows = slice(start, start + ROWS)
        z = predictions.logits[rows].astype(np.float64)
        z -= z.max(axis=1, keepdims=True)
        z /= temperature
        p, i = np.exp(z), np.arange(len(z))
        whole = np.einsum("nk->n", p)
        found.log_of_label[rows] = z[i, predictions.label[rows]] - np.log(whole)
        found.confidence[rows] = p[i, predictions.pred[rows]] / whole
        found.squares[rows] = np.einsum("nk,nk->n", p, p) / whole**2
    return found
