"""Share of examples whose predicted class is the label."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._lm_eval import guessed


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Accuracy",
    equation="(1/n) sum_i 1[pred_i = y_i]",
    source="scikit-learn accuracy_score",
    reads="decisions",
    convention="top-1; ties in the logits go to the lower class index; an example without a label (-1) is never right; on the "
    "slice class=k it is the recall of class k",
)
def accuracy(predictions: Predictions) -> np.ndarray:
    """1[pred = label], (n,): 1 where right, 0 where wrong."""
    return predictions.correct.astype(np.float64)


def note(predictions: Predictions) -> str:
    """Whether an accuracy on questions of lm-eval cannot be told from guessing."""
    return guessed(predictions, "acc", float(predictions.correct.mean())) if len(predictions.ids) else ""


def guess(chance: float) -> float:
    """What guessing among the choices is worth."""
    return chance


def error(value: np.ndarray) -> np.ndarray:
    """The error rate that belongs to an accuracy: what corruption errors are ratios of (Hendrycks and Dietterich 2019)."""
    return 1.0 - value
