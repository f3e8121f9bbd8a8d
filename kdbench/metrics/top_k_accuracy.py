"""Share of examples whose label is among the k classes with the largest logits."""

from __future__ import annotations

import numpy as np

from kdbench import Count, NotApplicable, Predictions, metric


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Top-k accuracy",
    equation="(1/n) sum_i 1[#{j: z_ij > z_iy or (z_ij = z_iy and j < y)} < k]",
    source="Russakovsky et al. 2015 (ImageNet); scikit-learn top_k_accuracy_score",
    reads="probabilities",
    convention="ahead of the label are the classes with strictly larger logits, and those with an equal one and a lower index "
    "(scikit-learn lets the higher index win), so that k = 1 is accuracy; an example without a label (-1) is never right",
)
def top_k_accuracy(predictions: Predictions, *, k: Count = 5) -> np.ndarray:
    """1[fewer than k classes are ahead of the label], (n,). Raises NotApplicable where k classes are all there are."""
    z, label = predictions.logits, predictions.label
    classes = z.shape[1]
    if k >= classes:
        raise NotApplicable(f"the top {k} of {classes} classes hold every label")
    held = np.maximum(label, 0)
    mine = z[np.arange(len(z)), held][:, None]
    tied_before = (z == mine) & (np.arange(classes) < held[:, None])
    ahead = np.count_nonzero((z > mine) | tied_before, axis=1)
    return np.asarray((ahead < k) & (label >= 0), dtype=np.float64)
