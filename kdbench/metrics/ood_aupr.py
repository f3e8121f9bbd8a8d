"""Average precision of a confidence score that is to find foreign (or known) inputs."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Predictions, average_precision, metric

from ._ood_scores import ood_score


@metric(
    form="set",
    better="higher",
    low=0.0,
    high=1.0,
    axis="ood",
    title="OOD AUPR",
    equation="sum_t (R_t - R_{t-1}) P_t over the distinct scores t; positive=out: foreign inputs are the positives, ranked by "
    "-s; positive=in: in-distribution inputs are the positives, ranked by s",
    source="Hendrycks and Gimpel 2017 (AUPR-In, AUPR-Out); scikit-learn average_precision_score",
    reads="probabilities",
    convention="positive=out (the default): OOD = positive, also called AUPR-Out; positive=in: ID = positive, "
    "AUPR-In; the two differ, and both depend on how many foreign inputs there are: a constant score gives the share of the "
    "positives; step-wise, not the trapezoid; scores as for OOD AUROC",
    undefined="no in-distribution or no foreign inputs",
)
def ood_aupr(
    predictions: Predictions,
    ood: Predictions,
    weights: np.ndarray | None = None,
    ood_weights: np.ndarray | None = None,
    *,
    score: Literal["msp", "max_logit", "energy", "entropy"] = "msp",
    positive: Literal["out", "in"] = "out",
) -> np.ndarray | float:
    """The average precision, of one set or of all draws; 1 where the two sides do not overlap."""
    known, foreign = ood_score(predictions, score), ood_score(ood, score)
    both = np.concatenate([known, foreign])
    inside = np.arange(len(both)) < len(known)
    sought, ranked = (inside, both) if positive == "in" else (~inside, -both)
    drawn = None
    if weights is not None and ood_weights is not None:
        drawn = np.concatenate([weights, ood_weights], axis=1)
    found = average_precision(ranked, sought, drawn)
    return found if drawn is not None else float(found[0])
