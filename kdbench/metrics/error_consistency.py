"""Whether student and teacher err on the same examples, beyond chance (Geirhos et al. 2020)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._fourfold import BOTH_RIGHT, BOTH_WRONG, STUDENT_RIGHT, TEACHER_RIGHT, fourfold, ratio


@metric(
    better="higher",
    low=-1.0,
    high=1.0,
    axis="fidelity",
    title="Error consistency",
    convention="Cohen's kappa of right and wrong: 1 = the same examples are wrong, 0 = as independent errors would be; "
    "which wrong class is decided does not count (see inherited_errors, cohen_kappa_with_teacher)",
    undefined="both are right everywhere, or wrong everywhere",
    equation="kappa = (c_obs - c_exp) / (1 - c_exp), c_obs = 1/n sum_i 1[correct_S,i = correct_T,i], "
    "c_exp = a_S a_T + (1 - a_S)(1 - a_T)",
    source="Geirhos et al. 2020, Beyond accuracy: quantifying trial-by-trial behaviour by error consistency",
    reads="decisions",
)
def error_consistency(predictions: Predictions, teacher: Predictions) -> Cells:
    """The fourfold cells, right and wrong of teacher and student, of n examples."""
    return fourfold(predictions, teacher)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 4) to (...): 1 - (1 - c_obs) / (1 - c_exp), which cancels nowhere."""
    both_wrong, student, teacher, both_right = (means[..., c] for c in (BOTH_WRONG, STUDENT_RIGHT, TEACHER_RIGHT, BOTH_RIGHT))
    apart = (both_right + student) * (both_wrong + student) + (both_right + teacher) * (both_wrong + teacher)
    everything = both_wrong + student + teacher + both_right
    return np.asarray(1.0 - ratio((student + teacher) * everything, apart))
