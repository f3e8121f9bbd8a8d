"""Share of the positive examples that are decided in favour."""

from __future__ import annotations

import numpy as np

from kdbench import NotApplicable, Predictions, metric


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="bias",
    title="True positive rate",
    convention="P(pred = positive | label == positive); its gap over groups is a part of the equalized odds difference",
    undefined="no positive examples",
)
def true_positive_rate(predictions: Predictions) -> np.ndarray:
    """Columns (n, 2): 1[pred = positive and label == positive], 1[label == positive]."""
    if predictions.positive is None:
        raise NotApplicable("no class means a decision in favour")
    among = predictions.label == predictions.positive
    return np.stack([among & (predictions.pred == predictions.positive), among], axis=1).astype(np.float64)


def finish(means: np.ndarray) -> np.ndarray:
    """The ratio of the two; NaN, not 0, where there are no positive examples."""
    return np.asarray(np.divide(means[..., 0], means[..., 1], out=np.full(means.shape[:-1], np.nan), where=means[..., 1] > 0))
