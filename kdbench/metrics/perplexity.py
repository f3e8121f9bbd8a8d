"""How many tokens a language model hesitates between, on geometric average."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._said import columns, ratio


@metric(
    better="lower",
    unit="tokens",
    low=1.0,
    axis="quality",
    title="Perplexity",
    convention="per token of the tokenizer that the model reads with: not comparable between tokenizers (bits_per_byte is); one "
    "exponential of the mean over all tokens, not a mean of perplexities; not per word, as in papers on WikiText",
    equation="exp(-sum_i sum_t log p(token_it | before) / sum_i tokens_i)",
    source="Jelinek et al. 1977",
    reads="tokens",
    undefined="no tokens",
)
def perplexity(predictions: Predictions) -> np.ndarray:
    """Nats of the tokens of each example, and how many they are, (n, 2)."""
    return columns(predictions, "nll", "tokens")


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): exp of the mean over all tokens."""
    return np.asarray(np.exp(ratio(means)))
