"""How well a confidence score tells known from foreign inputs, over all thresholds."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Predictions, area_under_curve, metric

from ._ood_scores import ood_score


@metric(
    form="set",
    better="higher",
    low=0.0,
    high=1.0,
    axis="ood",
    title="OOD AUROC",
    equation="P(s_in > s_ood) + P(s_in = s_ood) / 2",
    source="Hendrycks and Gimpel 2017; scores: Hendrycks et al. 2022 (max_logit), Liu et al. 2020 (energy)",
    reads="probabilities",
    convention="higher score: more in-distribution; the same number whichever side is called positive, as long as scores and "
    "labels are turned together; ties count half; msp: largest probability; max_logit: largest logit; energy: logsumexp of "
    "the logits; entropy: minus the entropy of the probabilities",
    undefined="no in-distribution or no foreign inputs",
)
def ood_auroc(
    predictions: Predictions,
    ood: Predictions,
    weights: np.ndarray | None = None,
    ood_weights: np.ndarray | None = None,
    *,
    score: Literal["msp", "max_logit", "energy", "entropy"] = "msp",
) -> np.ndarray | float:
    """The area, of one set or of all draws. 1: every known input scores above every foreign one; 0: below; 0.5: no score."""
    known, foreign = ood_score(predictions, score), ood_score(ood, score)
    inside = np.arange(len(known) + len(foreign)) < len(known)
    both = None
    if weights is not None and ood_weights is not None:
        both = np.concatenate([weights, ood_weights], axis=1)
    area = area_under_curve(np.concatenate([known, foreign]), inside, both)
    return area if both is not None else float(area[0])
