"""Area under the ROC curve of the class scores."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, Undefined, area_under_curve, metric


@metric(
    form="set",
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="AUROC",
    convention="two classes: of the positive class (else class 1); "
    "more: mean of one-vs-rest over the classes present; ties count half",
    undefined="one class only",
)
def auroc(predictions: Predictions, weights: np.ndarray | None = None) -> np.ndarray | float:
    """P(score of a positive > score of a negative) + P(tie) / 2. weights (draws, n) gives (draws,).

    The score of class k is its log-odds z_k - logsumexp_{j != k} z_j: the same order as p_k, without ties where p_k rounds to 1.
    """
    count = predictions.logits.shape[1]
    one = predictions.positive if predictions.positive is not None else 1
    present = np.unique(predictions.label)
    if len(present) < 2:
        raise Undefined(f"one class only among {len(predictions.label)} labels")
    classes = [one] if count == 2 else present
    score = _log_odds(predictions.logits)
    areas = np.stack([area_under_curve(score[:, k], predictions.label == k, weights) for k in classes])
    known = np.isfinite(areas)
    total = np.where(known, areas, 0.0).sum(axis=0)
    mean = np.divide(total, known.sum(axis=0), out=np.full(total.shape, np.nan), where=known.any(axis=0))
    return mean if weights is not None else float(mean[0])


def _log_odds(logits: np.ndarray) -> np.ndarray:
    z = logits.astype(np.float64)
    rows, top = np.arange(len(z)), z.argmax(axis=1)
    z -= z.max(axis=1, keepdims=True)
    others = np.exp(z) @ (1.0 - np.eye(z.shape[1]))  # summed, not 1 - p: nothing cancels
    rest = z.copy()
    rest[rows, top] = -np.inf
    second = rest.max(axis=1)
    others[rows, top] = 1.0  # beside the top class the others may be too small for exp: they get a scale of their own
    odds = z - np.log(others)
    odds[rows, top] = -(second + np.log(np.exp(rest - second[:, None]).sum(axis=1)))
    return np.asarray(np.round(odds, 9))  # far finer than float32 logits, and equal scores stay tied
