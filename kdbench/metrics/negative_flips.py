"""Share of examples that the teacher has right and the student wrong (Yan et al. 2021: negative flip rate)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="lower",
    low=0.0,
    high=1.0,
    axis="fidelity",
    title="Negative flips",
    convention="NFR: a share of all examples, not of those that the teacher has right (see relative_negative_flips)",
    equation="NFR = 1/n sum_i 1[pred_T,i = y_i, pred_S,i != y_i]",
    source="Yan et al. 2021, Positive-congruent training: towards regression-free model updates",
    reads="decisions",
)
def negative_flips(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    """1[teacher right, student wrong], (n,)."""
    return np.asarray((teacher.correct & ~predictions.correct).astype(np.float64))
