"""Divergence of what a student expects next from what its teacher does."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._said import columns, ratio


@metric(
    better="lower",
    unit="nats",
    low=0.0,
    axis="fidelity",
    title="KL to the teacher, per token",
    convention="forward: KL(teacher || student) at temperature 1 over the whole vocabulary, mean over all tokens that are asked "
    "for, on the given texts (not on texts that a model wrote), and only where both read with one tokenizer",
    equation="sum_i sum_t sum_v p_T,itv (log p_T,itv - log p_S,itv) / sum_i tokens_i",
    source="Hinton et al. 2015; as a measure of fidelity Stanton et al. 2021",
    reads="tokens",
    undefined="no tokens",
)
def token_kl_to_teacher(predictions: Predictions) -> np.ndarray:
    """Divergence summed over the tokens of each example, and how many they are, (n, 2)."""
    return columns(predictions, "kl", "tokens")


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the mean over all tokens of all examples."""
    return ratio(means)
