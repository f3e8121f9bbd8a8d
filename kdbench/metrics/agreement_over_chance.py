"""Agreement with the teacher beyond what the two accuracies alone would give."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._fourfold import BOTH_WRONG, fourfold

OTHER_ERROR = 4
"""Both wrong, with different classes; then the cell `BOTH_WRONG` holds the same ones."""


@metric(
    better="higher",
    low=-1.0,
    high=1.0,
    axis="fidelity",
    title="Agreement over chance",
    convention="a difference, in points of agreement, not a ratio; chance = independent errors of these two accuracies, "
    "spread evenly over the K - 1 wrong classes. 0 = no more alike than accuracy explains",
    equation="1/n sum_i 1[pred_S,i = pred_T,i] - (a_T a_S + (1 - a_T)(1 - a_S) / (K - 1))",
    source="definition, with the independence of Geirhos et al. 2020 carried over to K classes",
    reads="decisions",
)
def agreement_over_chance(predictions: Predictions, teacher: Predictions) -> Cells:
    """Both wrong with one class, student right, teacher right, both right, both wrong apart: 5 cells; and 1 / (K - 1), (n,)."""
    code = fourfold(predictions, teacher).code
    code += OTHER_ERROR * ((code == BOTH_WRONG) & (predictions.pred != teacher.pred))
    wrong_classes = max(1, predictions.logits.shape[1] - 1)
    return Cells(code, 5, (np.full(len(code), 1.0 / wrong_classes),))


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 10) to (...): observed less expected agreement."""
    share, chance = means[..., :5], means[..., 5:].sum(axis=-1)
    same, student, teacher, both, other = (share[..., c] for c in range(5))
    wrong = same + other
    expected = (both + student) * (both + teacher) + (wrong + teacher) * (wrong + student) * chance
    return np.asarray(both + same - expected)
