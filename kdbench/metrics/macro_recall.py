"""Unweighted mean over classes of recall = TP / (TP + FN)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._class_counts import mean_ratio, remarks


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Macro recall",
    equation="(1/K') sum_k TP_k / (TP_k + FN_k), over the K' classes with labels",
    source="scikit-learn recall_score(average='macro', labels=all classes, zero_division=nan)",
    reads="decisions",
    convention="a class without labels has no recall and is left out (scikit-learn's default counts it as 0), so that this "
    "equals balanced accuracy; the recall of one class is accuracy on the slice class=k",
    undefined="no labels",
)
def macro_recall(predictions: Predictions) -> Cells:
    """Columns 1[label = k] and 1[label = pred = k], K of each. A label of -1 is no class."""
    return Cells(predictions.label, predictions.logits.shape[1], (predictions.correct,))


def finish(means: np.ndarray) -> np.ndarray:
    """The mean of TP over TP + FN; a class where that is 0 is left out."""
    labels, hits = np.split(means, 2, axis=-1)
    return mean_ratio(hits, labels)


def note(predictions: Predictions) -> str:
    """Which classes the mean leaves out, and whether all decisions are the same."""
    return remarks(predictions)
