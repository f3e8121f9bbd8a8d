"""Share of examples that the teacher has wrong and the student right (Yan et al. 2021)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="fidelity",
    title="Positive flips",
    convention="PFR: a share of all examples; PFR - NFR is the accuracy of the student minus that of the teacher",
    equation="PFR = 1/n sum_i 1[pred_T,i != y_i, pred_S,i = y_i]",
    source="Yan et al. 2021, Positive-congruent training: towards regression-free model updates",
    reads="decisions",
)
def positive_flips(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    """1[teacher wrong, student right], (n,)."""
    return np.asarray((~teacher.correct & predictions.correct).astype(np.float64))
