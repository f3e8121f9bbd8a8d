"""How often the student gives the same wrong answer where the teacher is wrong."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._fourfold import ratio


@metric(
    better="none",
    low=0.0,
    high=1.0,
    axis="fidelity",
    title="Inherited errors",
    convention="a share of the teacher's errors, not of all examples: the same wrong class. No direction: high is faithful, "
    "and high is harm; compare it with the same number of a student trained without the teacher",
    undefined="the teacher makes no error",
    equation="P(pred_S = pred_T | pred_T != y)",
    source="a conditional share; asymmetric transfer of the mistakes of teachers is reported in arXiv 2510.12615",
    reads="decisions",
)
def inherited_errors(predictions: Predictions, teacher: Predictions) -> Cells:
    """Of the teacher's errors among n examples: cell 0 the same wrong class, cell 1 another class; none elsewhere."""
    code = (predictions.pred != teacher.pred).astype(np.int64)
    code[teacher.correct] = -1
    return Cells(code, 2)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): same / (same + other)."""
    return ratio(means[..., 0], means[..., 0] + means[..., 1])
