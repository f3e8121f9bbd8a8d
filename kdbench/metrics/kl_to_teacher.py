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
    convention="forward: KL(teacher || student) at temperature 1, mean over examples, natural logarithm, from the logits "
    "without a clip; the other direction is reverse_kl_to_teacher",
    equation="1/n sum_i sum_k p_T,ik (log p_T,ik - log p_S,ik)",
    source="Hinton et al. 2015; as a measure of fidelity Stanton et al. 2021",
    reads="probabilities",
)
def kl_to_teacher(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    """sum_k p_T (log p_T - log p_S), (n,)."""
    apart = teacher.log_probability - predictions.log_probability
    return np.asarray(np.maximum(np.einsum("nk,nk->n", teacher.probability, apart), 0.0))  # rounding can leave -1e-17
