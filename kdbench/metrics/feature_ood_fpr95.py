"""Errors of a detector of foreign inputs by a distance between features, set to keep (or to catch) 95 %."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from kdbench import Count, Predictions, metric

from ._feature_scores import scores
from ._ood_rates import fpr95


@metric(
    form="set",
    better="lower",
    low=0.0,
    high=1.0,
    axis="ood",
    title="OOD FPR95 (features)",
    convention="positive=id: share of foreign inputs accepted when at least 95 % of in-distribution inputs are (Liang 2018); "
    "positive=ood: share of in-distribution inputs flagged when at least 95 % of foreign inputs are (Hendrycks 2017, "
    "OpenOOD 1.5); tied scores fall on one side together; last tap, averaged over positions; scores as feature_ood_auroc",
    undefined="no examples on one side",
    equation="knn: s(x) = -||z - z_(k)||, z = f(x) / ||f(x)||; mahalanobis: s(x) = max_c -(f(x) - mu_c)' S^+ (f(x) - mu_c); "
    "FPR95 = P(s(negative) >= t), t the largest with P(s(positive) >= t) >= 0.95",
    source="Sun et al. 2022 (knn); Lee et al. 2018 (mahalanobis)",
    reads="decisions",
)
def feature_ood_fpr95(  # noqa: PLR0913 - each is evidence
    features: Mapping[str, np.ndarray],
    ood_features: Mapping[str, np.ndarray],
    validation: Predictions,
    validation_features: Mapping[str, np.ndarray],
    weights: np.ndarray | None = None,
    ood_weights: np.ndarray | None = None,
    *,
    score: Literal["knn", "mahalanobis"] = "knn",
    k: Count = 50,
    positive: Literal["id", "ood"] = "id",
) -> np.ndarray | float:
    """The false positive rate at the strictest threshold with a true positive rate of at least 0.95, of one set or all draws."""
    known, foreign = scores((features, ood_features), validation, validation_features, score, k)
    return fpr95(known, foreign, weights, ood_weights, positive)
