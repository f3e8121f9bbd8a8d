"""Right and wrong of teacher and student, crossed; and a quotient that is NaN where it has no meaning."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions

BOTH_WRONG, STUDENT_RIGHT, TEACHER_RIGHT, BOTH_RIGHT = 0, 1, 2, 3
"""The four cells: `STUDENT_RIGHT` is the student alone, `TEACHER_RIGHT` the teacher alone."""


def fourfold(predictions: Predictions, teacher: Predictions) -> Cells:
    """Which of the four cells each of n examples lies in."""
    return Cells(2 * teacher.correct.astype(np.int64) + predictions.correct, 4)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part / whole, of any equal shape; NaN where the whole is 0 (or NaN)."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))
