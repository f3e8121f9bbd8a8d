"""How often two seeds of one method decide differently."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, Undefined, metric

from ._seed_modes import runs


@metric(
    form="seeds",
    better="lower",
    low=0.0,
    high=1.0,
    axis="fidelity",
    title="Churn over seeds",
    equation="mean over pairs of seeds s < t of 1/n sum_i 1[pred_s(i) != pred_t(i)]",
    source="Milani Fard et al. 2016 (Launch and iterate: reducing prediction churn), churn of two models; here of two seeds",
    convention="top-1, right or wrong alike, mean over all pairs of seeds; `churn` is the one against the teacher",
    reads="decisions",
)
def seed_churn(predictions: tuple[Predictions, ...]) -> np.ndarray:
    """Share of the pairs of seeds that disagree on each example, (n,)."""
    count = len(predictions)
    if count < 2:
        raise Undefined("one model only: no pair of seeds to compare")
    _, length = runs(predictions)
    return np.asarray(1.0 - (length - 1).sum(axis=0) / (count * (count - 1) / 2))
