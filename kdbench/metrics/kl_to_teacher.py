"""Divergence of the student's probabilities from the teacher's (Stanton et al. 2021: fidelity)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="lower",
    unit="nats",
    low=0.0,
    axis="fidelity",
    title="KL to the teacher",
    convention="KL(teacher || student) at temperature 1, mean over examples, natural logarithm, from the logits without a clip",
)
def kl_to_teacher(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    """sum_k p_T (log p_T - log p_S), (n,)."""
    log_t, log_s = _log_softmax(teacher.logits), _log_softmax(predictions.logits)
    return np.asarray(np.maximum((np.exp(log_t) * (log_t - log_s)).sum(axis=1), 0.0))  # rounding can leave -1e-17


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    z = logits.astype(np.float64)
    z = z - z.max(axis=1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))
