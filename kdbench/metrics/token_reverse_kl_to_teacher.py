"""Divergence of what a teacher expects next from what its student does."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._said import columns, ratio


@metric(
    better="lower",
    unit="nats",
    low=0.0,
    axis="fidelity",
    title="Reverse KL to the teacher, per token",
    convention="reverse: KL(student || teacher) at temperature 1, large where the student expects what the teacher rules out; "
    "mean over all tokens that are asked for, on the given texts, and only where both read with one tokenizer",
    equation="sum_i sum_t sum_v p_S,itv (log p_S,itv - log p_T,itv) / sum_i tokens_i",
    source="Gu et al. 2024, MiniLLM",
    reads="tokens",
    undefined="no tokens",
)
def token_reverse_kl_to_teacher(predictions: Predictions) -> np.ndarray:
    """Divergence summed over the tokens of each example, and how many they are, (n, 2)."""
    return columns(predictions, "reverse_kl", "tokens")


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the mean over all tokens of all examples."""
    return ratio(means)
