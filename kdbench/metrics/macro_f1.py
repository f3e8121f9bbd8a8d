"""Unweighted mean over classes of F1 = 2 TP / (2 TP + FP + FN)."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._class_counts import counts, mean_ratio, remarks, shares


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Macro F1",
    equation="(1/K') sum_k 2 TP_k / (2 TP_k + FP_k + FN_k), over the K' classes with labels or decisions",
    source="scikit-learn f1_score(average='macro', labels=all classes, zero_division=nan); Opitz and Burst 2019",
    reads="decisions",
    convention="mean of the F1 of the classes that occur among labels or predictions of the slice (scikit-learn: "
    "labels=all classes, zero_division=nan); not the F1 of macro precision and macro recall",
    undefined="no examples",
)
def macro_f1(predictions: Predictions) -> tuple[Cells, Cells]:
    """Columns 1[label = k], 1[label = pred = k] and 1[pred = k], K of each: 2 TP + FP + FN is the first plus the last."""
    return counts(predictions)


def finish(means: np.ndarray) -> np.ndarray:
    """F1 per class is 2 TP over its denominator; a class with denominator 0 is left out of the mean."""
    hits, labels, decisions = shares(means)
    return mean_ratio(2 * hits, labels + decisions)


def note(predictions: Predictions) -> str:
    """Which classes have no labels here (F1 0 where decided, else left out), and whether all decisions are the same."""
    return remarks(predictions)
