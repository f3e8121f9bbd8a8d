"""Negative flips beside those that independent errors would bring (Yan et al. 2021: relative NFR)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._fourfold import BOTH_RIGHT, BOTH_WRONG, STUDENT_RIGHT, TEACHER_RIGHT, fourfold, ratio


@metric(
    better="lower",
    unit="ratio",
    low=0.0,
    axis="fidelity",
    title="Relative negative flips",
    convention="1 = as many as if the errors of student and teacher were independent; 0 = the student errs only where "
    "the teacher does; one error rate cancels, so that students of unlike accuracy can be compared",
    undefined="the teacher is never right, or the student never wrong",
    equation="NFR / ((1 - ER_T) ER_S), with NFR = 1/n sum_i 1[pred_T,i = y_i, pred_S,i != y_i] and error rates ER",
    source="Yan et al. 2021, Positive-congruent training: towards regression-free model updates",
    reads="decisions",
)
def relative_negative_flips(predictions: Predictions, teacher: Predictions) -> Cells:
    """The fourfold cells, right and wrong of teacher and student, of n examples."""
    return fourfold(predictions, teacher)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 4) to (...): NFR / ((1 - ER_T) ER_S)."""
    negative = means[..., TEACHER_RIGHT]
    right_teacher = negative + means[..., BOTH_RIGHT]
    wrong_student = negative + means[..., BOTH_WRONG]
    everything = right_teacher + means[..., BOTH_WRONG] + means[..., STUDENT_RIGHT]
    return ratio(negative * everything, right_teacher * wrong_student)
