"""Share of examples decided in favour."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._labelled import positive_class


@metric(
    better="none",
    low=0.0,
    high=1.0,
    axis="bias",
    title="Selection rate",
    equation="(1/n) sum_i 1[pred_i = positive]",
    source="fairlearn selection_rate; Dwork et al. 2012 (statistical parity)",
    reads="decisions",
    convention="P(pred = positive class), whatever the label; its gap over groups is the demographic parity difference",
)
def selection_rate(predictions: Predictions) -> np.ndarray:
    """1[pred = positive], (n,)."""
    return np.asarray((predictions.pred == positive_class(predictions)).astype(np.float64))
