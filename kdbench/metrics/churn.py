"""Share of examples on which student and teacher decide differently (Milani Fard et al. 2016)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="lower",
    low=0.0,
    high=1.0,
    axis="fidelity",
    title="Churn against the teacher",
    convention="1 - agreement: every changed decision counts, also from one wrong class to another; "
    "the teacher stands for the older version",
    equation="1/n sum_i 1[pred_S,i != pred_T,i]",
    source="Milani Fard et al. 2016, Launch and iterate: reducing prediction churn",
    reads="decisions",
)
def churn(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    """1[pred of the student differs from the teacher's], (n,)."""
    return np.asarray((predictions.pred != teacher.pred).astype(np.float64))
