"""Memory that a language model needs for each token that it remembers while it writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import NotApplicable, metric


@metric(
    form="measured",
    better="lower",
    unit="bytes",
    low=0.0,
    axis="memory",
    title="Cache a token",
    equation="bytes of keys and values of all layers / tokens, for one row",
    source="2 x layers x key-value heads x head size x bytes of a number (Shazeer 2019, Fast Transformer Decoding)",
    convention="tensors that the model itself keeps, counted after 8 tokens of one row in its own precision; a row of L tokens "
    "needs L times as much, a batch of b rows b times",
    reads="decisions",
)
def cache_bytes_per_token(size: Mapping[str, Any]) -> float:
    """What the size stage counted. Raises NotApplicable for models that keep nothing."""
    held = size.get("cache_bytes_per_token")
    if held is None:
        raise NotApplicable("this model keeps nothing between tokens, or is no torch artefact")
    return float(held)
