"""Agreement of the decisions with the teacher's, corrected for how often each class is decided (Cohen 1960)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._fourfold import ratio


@metric(
    better="higher",
    low=-1.0,
    high=1.0,
    axis="fidelity",
    title="Cohen's kappa with the teacher",
    convention="unweighted, between the decisions of student and teacher; not with the labels, and not of right and wrong "
    "(that is error_consistency)",
    undefined="both decide for one and the same class everywhere",
    equation="kappa = (p_o - p_e) / (1 - p_e), p_o = agreement, p_e = sum_k P(pred_S = k) P(pred_T = k)",
    source="Cohen 1960, A coefficient of agreement for nominal scales; scikit-learn cohen_kappa_score",
    reads="decisions",
)
def cohen_kappa_with_teacher(predictions: Predictions, teacher: Predictions) -> tuple[Cells, Cells]:
    """The student's decisions, with 1[other than the teacher's]; the teacher's decisions: 3 K columns of n examples."""
    classes = predictions.logits.shape[1]
    differs = (predictions.pred != teacher.pred).astype(np.float64)
    return Cells(predictions.pred, classes, (differs,)), Cells(teacher.pred, classes)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 3 K) to (...): 1 - (1 - p_o) / (1 - p_e), which cancels nowhere."""
    student, differs, teacher = np.split(means, 3, axis=-1)
    everything = teacher.sum(axis=-1, keepdims=True)
    expected = (student * (everything - teacher)).sum(axis=-1)  # exactly 0 where there is one class only
    return np.asarray(1.0 - ratio(differs.sum(axis=-1) * everything[..., 0], expected))
