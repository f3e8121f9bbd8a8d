"""Errors of a detector of foreign inputs that is set to keep (or to catch) 95 %."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Predictions, metric

from ._ood_rates import fpr95
from ._ood_scores import ood_score


@metric(
    form="set",
    better="lower",
    low=0.0,
    high=1.0,
    axis="ood",
    title="OOD FPR95",
    equation="positive=id: P(s_ood >= t), t the largest threshold with P(s_in >= t) >= 0.95; positive=ood: P(s_in <= t), t the "
    "smallest with P(s_ood <= t) >= 0.95",
    source="Liang et al. 2018 (ID positive); Hendrycks and Gimpel 2017 and OpenOOD 1.5 (OOD positive)",
    reads="probabilities",
    convention="positive=id: share of foreign inputs accepted when at least 95 % of in-distribution inputs are (Liang 2018); "
    "positive=ood: share of in-distribution inputs flagged when at least 95 % of foreign inputs are (Hendrycks 2017, "
    "OpenOOD 1.5); tied scores fall on one side together; scores as for OOD AUROC",
    undefined="no in-distribution or no foreign inputs",
)
def ood_fpr95(
    predictions: Predictions,
    ood: Predictions,
    weights: np.ndarray | None = None,
    ood_weights: np.ndarray | None = None,
    *,
    score: Literal["msp", "max_logit", "energy", "entropy"] = "msp",
    positive: Literal["id", "ood"] = "id",
) -> np.ndarray | float:
    """The false positive rate at the strictest threshold with a true positive rate of at least 0.95, of one set or all draws."""
    known, foreign = ood_score(predictions, score), ood_score(ood, score)
    return fpr95(known, foreign, weights, ood_weights, positive)
