"""Share of examples on which student and teacher decide alike (Stanton et al. 2021: fidelity)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="fidelity",
    title="Agreement with the teacher",
    convention="top-1, right or wrong alike; not corrected for chance (see agreement_over_chance, cohen_kappa_with_teacher)",
    equation="1/n sum_i 1[pred_S,i = pred_T,i]",
    source="Stanton et al. 2021, Does knowledge distillation really work?",
    reads="decisions",
)
def agreement(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    """1[pred of the student = pred of the teacher], (n,)."""
    return np.asarray((predictions.pred == teacher.pred).astype(np.float64))
