"""How well a confidence score tells known from foreign inputs, over all thresholds."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Predictions, area_under_curve, metric


@metric(
    form="set",
    better="higher",
    low=0.0,
    high=1.0,
    axis="ood",
    title="OOD AUROC",
    convention="P(an in-distribution input scores above a foreign one) + P(tie) / 2; msp: largest probability; "
    "energy: logsumexp of the logits",
)
def ood_auroc(
    predictions: Predictions,
    ood: Predictions,
    weights: np.ndarray | None = None,
    ood_weights: np.ndarray | None = None,
    *,
    score: Literal["msp", "energy"] = "msp",
) -> np.ndarray | float:
    """The area, of one set or of all draws. A higher score: more in-distribution (Hendrycks and Gimpel 2017; Liu et al. 2020)."""
    known, foreign = _score(predictions, score), _score(ood, score)
    inside = np.arange(len(known) + len(foreign)) < len(known)
    both = None
    if weights is not None and ood_weights is not None:
        both = np.concatenate([weights, ood_weights], axis=1)
    area = area_under_curve(np.concatenate([known, foreign]), inside, both)
    return area if both is not None else float(area[0])


def _score(predictions: Predictions, name: str) -> np.ndarray:
    z = predictions.logits.astype(np.float64)
    top = z.max(axis=1)
    rest = np.log(np.exp(z - top[:, None]).sum(axis=1))  # log sum exp(z - max) = -log MSP
    return np.asarray(top + rest if name == "energy" else -rest)
