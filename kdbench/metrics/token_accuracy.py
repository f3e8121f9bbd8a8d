"""How often the likeliest next token is the one that came."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._said import columns, ratio


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Accuracy of the next token",
    convention="over all tokens that are asked for, not a mean over texts; of several likeliest tokens the first counts; per "
    "token of the tokenizer, so not comparable between tokenizers",
    equation="sum_i sum_t 1[argmax p = token_it] / sum_i tokens_i",
    source="top-1 accuracy, of tokens",
    reads="tokens",
    undefined="no tokens",
)
def token_accuracy(predictions: Predictions) -> np.ndarray:
    """Right tokens of each example, and how many were asked for, (n, 2)."""
    return columns(predictions, "right", "tokens")


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the mean over all tokens of all examples."""
    return ratio(means)
