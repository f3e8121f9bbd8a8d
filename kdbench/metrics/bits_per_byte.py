"""How many bits a language model needs for a byte of text."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, Undefined, metric

from ._said import columns, ratio


@metric(
    better="lower",
    unit="bits",
    low=0.0,
    axis="quality",
    title="Bits per byte",
    convention="a ratio of two sums over all texts, not a mean of ratios; bytes are those of the texts in UTF-8, whatever the "
    "tokenizer, so models with other vocabularies can be compared; each window begins with one token of context; no number "
    "where a tokenizer has one token for all that it does not know: such bytes would cost next to nothing",
    equation="-sum_i sum_t log2 p(token_it | before) / sum_i bytes_i",
    source="Gao et al. 2020, The Pile, section 3.1; lm-eval bits_per_byte",
    reads="tokens",
    undefined="no bytes; tokens that are unknown to the tokenizer",
)
def bits_per_byte(predictions: Predictions) -> np.ndarray:
    """Nats of the tokens of each example, and its bytes, (n, 2). Raises Undefined where a token is unknown to the tokenizer."""
    unknown = int(np.sum(predictions.columns.get("unknown", 0)))
    if unknown:
        raise Undefined(f"{unknown} tokens are unknown to this tokenizer")
    return columns(predictions, "nll", "bytes")


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): nats per byte over log 2."""
    return np.asarray(ratio(means) / np.log(2))
