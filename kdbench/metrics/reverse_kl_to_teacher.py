"""Divergence of the teacher's probabilities from the student's: the mode-seeking direction (Gu et al. 2024)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="lower",
    unit="nats",
    low=0.0,
    axis="fidelity",
    title="Reverse KL to the teacher",
    convention="reverse: KL(student || teacher) at temperature 1, mean over examples, natural logarithm, from the logits "
    "without a clip; the other direction is kl_to_teacher",
    equation="1/n sum_i sum_k p_S,ik (log p_S,ik - log p_T,ik)",
    source="Gu et al. 2024, MiniLLM: knowledge distillation of large language models",
    reads="probabilities",
)
def reverse_kl_to_teacher(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    """sum_k p_S (log p_S - log p_T), (n,)."""
    apart = predictions.log_probability - teacher.log_probability
    return np.asarray(np.maximum(np.einsum("nk,nk->n", predictions.probability, apart), 0.0))  # rounding can leave -1e-17
