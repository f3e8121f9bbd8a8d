"""How uncertain a language model is of the next token."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._said import columns, ratio


@metric(
    better="none",
    unit="nats",
    low=0.0,
    axis="calibration",
    title="Entropy of the next token",
    convention="of the model's own distribution over its whole vocabulary, in nats, mean over all tokens that are asked for; "
    "equal to the mean nll where the model is right about its uncertainty",
    equation="-sum_i sum_t sum_v p_itv log p_itv / sum_i tokens_i",
    source="Shannon 1948; as a check of language models Braverman et al. 2020, Calibration, entropy rates, and memory",
    reads="tokens",
    undefined="no tokens",
)
def token_entropy(predictions: Predictions) -> np.ndarray:
    """Nats of uncertainty of each example, and its tokens, (n, 2)."""
    return columns(predictions, "entropy", "tokens")


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the mean over all tokens of all examples."""
    return ratio(means)
