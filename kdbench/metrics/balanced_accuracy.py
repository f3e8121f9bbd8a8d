"""Mean over the classes of the share of their examples that are right."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._class_counts import mean_ratio, remarks


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Balanced accuracy",
    equation="(1/K') sum_k TP_k / (TP_k + FN_k), over the K' classes with labels",
    source="Brodersen et al. 2010; scikit-learn balanced_accuracy_score",
    reads="decisions",
    convention="not adjusted for chance; a class without labels in the slice is left out; equals macro recall",
    undefined="no labels",
)
def balanced_accuracy(predictions: Predictions) -> Cells:
    """Columns 1[label = k] and 1[label = pred = k], K of each. A label of -1 is no class."""
    return Cells(predictions.label, predictions.logits.shape[1], (predictions.correct,))


def finish(means: np.ndarray) -> np.ndarray:
    """The mean of the recalls of the classes that have labels."""
    labels, hits = np.split(means, 2, axis=-1)
    return mean_ratio(hits, labels)


def note(predictions: Predictions) -> str:
    """Which classes the mean leaves out, and whether all decisions are the same."""
    return remarks(predictions)
