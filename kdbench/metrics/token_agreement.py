"""How often student and teacher expect the same token next."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._said import columns, ratio


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="fidelity",
    title="Agreement on the next token",
    convention="the likeliest token of both is the same, right or wrong; mean over all tokens that are asked for, on the given "
    "texts, and only where both read with one tokenizer",
    equation="sum_i sum_t 1[argmax p_S = argmax p_T] / sum_i tokens_i",
    source="Stanton et al. 2021, average top-1 agreement",
    reads="tokens",
    undefined="no tokens",
)
def token_agreement(predictions: Predictions) -> np.ndarray:
    """Tokens of each example on which both agree, and how many there are, (n, 2)."""
    return columns(predictions, "agree", "tokens")


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the mean over all tokens of all examples."""
    return ratio(means)
