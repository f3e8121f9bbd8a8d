"""F1 of the counts summed over the classes."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Micro F1",
    equation="2 sum_k TP_k / sum_k (2 TP_k + FP_k + FN_k)",
    source="scikit-learn f1_score(average='micro', labels=all classes)",
    reads="decisions",
    convention="over all classes; with one label and one decision for every example it equals accuracy, micro precision and "
    "micro recall; an example without a label (-1) is a false positive and no false negative",
    undefined="no examples",
)
def micro_f1(predictions: Predictions) -> Cells:
    """Columns 1[there is a label] and 1[pred = label]."""
    return Cells(np.where(predictions.label >= 0, 0, -1), 1, (predictions.correct,))


def finish(means: np.ndarray) -> np.ndarray:
    """Twice the hits over labels plus decisions, of which every example has one."""
    return np.asarray(2 * means[..., 1] / (1 + means[..., 0]))


def guess(chance: float) -> float:
    """What guessing among the choices of questions is worth: as for accuracy."""
    return chance
