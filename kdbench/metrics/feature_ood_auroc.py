"""How well a distance between features tells known from foreign inputs, over all thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from kdbench import Count, Predictions, area_under_curve, metric

from ._feature_scores import scores


@metric(
    form="set",
    better="higher",
    low=0.0,
    high=1.0,
    axis="ood",
    title="OOD AUROC (features)",
    convention="P(an in-distribution input scores above a foreign one) + P(tie) / 2; last tap, averaged over positions; "
    "fitted on the validation split (the papers: on the training set). knn: k-th nearest of L2-normalised features, k "
    "at most the validation examples a class; mahalanobis: nearest "
    "class mean, tied covariance, of the features as they are (no input perturbation, one layer)",
    undefined="no examples on one side, or too few validation examples",
    equation="knn: s(x) = -||z - z_(k)||, z = f(x) / ||f(x)||; mahalanobis: s(x) = max_c -(f(x) - mu_c)' S^+ (f(x) - mu_c); "
    "AUROC = P(s(in) > s(out)) + P(s(in) = s(out)) / 2",
    source="Sun et al. 2022 (knn); Lee et al. 2018 (mahalanobis)",
    reads="decisions",
)
def feature_ood_auroc(  # noqa: PLR0913 - each is evidence
    features: Mapping[str, np.ndarray],
    ood_features: Mapping[str, np.ndarray],
    validation: Predictions,
    validation_features: Mapping[str, np.ndarray],
    weights: np.ndarray | None = None,
    ood_weights: np.ndarray | None = None,
    *,
    score: Literal["knn", "mahalanobis"] = "knn",
    k: Count = 50,
) -> np.ndarray | float:
    """The area, of one set or of all draws. The features of the validation split and its labels stay as they are in all draws."""
    known, foreign = scores((features, ood_features), validation, validation_features, score, k)
    inside = np.arange(len(known) + len(foreign)) < len(known)
    both = None
    if weights is not None and ood_weights is not None:
        both = np.concatenate([weights, ood_weights], axis=1)
    area = area_under_curve(np.concatenate([known, foreign]), inside, both)
    return area if both is not None else float(area[0])
