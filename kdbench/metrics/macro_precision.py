"""Unweighted mean over classes of precision = TP / (TP + FP)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._class_counts import counts, mean_ratio, shares


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Macro precision",
    equation="(1/K') sum_k TP_k / (TP_k + FP_k), over the K' classes that are decided",
    source="scikit-learn precision_score(average='macro', labels=all classes, zero_division=nan)",
    reads="decisions",
    convention="a class that is never decided has no precision and is left out (scikit-learn's default counts it as 0): a model "
    "that avoids hard classes gains here, so read it beside macro recall",
    undefined="no examples",
)
def macro_precision(predictions: Predictions) -> tuple[Cells, Cells]:
    """Columns 1[label = k], 1[label = pred = k] and 1[pred = k], K of each."""
    return counts(predictions)


def finish(means: np.ndarray) -> np.ndarray:
    """The mean of TP over TP + FP; a class where that is 0 is left out."""
    hits, _, decisions = shares(means)
    return mean_ratio(hits, decisions)
