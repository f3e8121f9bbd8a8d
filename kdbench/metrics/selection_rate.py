"""Share of examples decided in favour."""

from __future__ import annotations

import numpy as np

from kdbench import NotApplicable, Predictions, metric


@metric(
    better="none",
    low=0.0,
    high=1.0,
    axis="bias",
    title="Selection rate",
    convention="P(pred = positive class), whatever the label; its gap over groups is the demographic parity difference",
)
def selection_rate(predictions: Predictions) -> np.ndarray:
    """1[pred = positive], (n,)."""
    if predictions.positive is None:
        raise NotApplicable("no class means a decision in favour")
    return np.asarray((predictions.pred == predictions.positive).astype(np.float64))
