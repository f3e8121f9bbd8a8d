"""Llama-style decoders: rotary positions, RMS norms, gated inner layers, grouped heads."""

from __future__ import annotations

from typing import Literal

from torch import nn

from kdbench import Count, Fraction, Positive, Refusal, Shape, Whole, model

from ._causal import causal


@model(
    kinds=("tokens",),
    answers=("next", "text"),
    layout="prompt",
    taps=("network.model.embed_tokens", "network.model.layers.*"),
    paper="Touvron et al. 2023, LLaMA; grouped heads: Ainslie et al. 2023",
)
def llama(  # noqa: PLR0913 - the numbers that say which Llama it is
    shape: Shape,
    *,
    layers: Count = 30,
    hidden: Count = 576,
    heads: Count = 9,
    groups: Whole = 3,
    intermediate: Count = 1536,
    positions: Count = 2048,
    base: Positive = 10000.0,
    dropout: Fraction = 0.0,
    tied: bool = True,
    attention: Literal["sdpa", "eager"] = "sdpa",
) -> nn.Module:
    """A Llama decoder with its language-model head, of `transformers`, from its configuration; nothing is downloaded.

    Tokens int64 (b, length) -> logits (b, length, vocabulary) of the next token of each position. The vocabulary is that of the
    data; tied: the output matrix is the embedding. The defaults are the size of SmolLM-135M. groups: heads of keys and values
    that the query heads share (0: as many as `heads`). base: of the rotary angles. dropout: of attention weights, the only one
    there is. attention: "sdpa", the fused kernel of torch, or "eager", plain matrix products. Taps: the embeddings and each
    layer, (b, length, hidden). Heads are grouped, so terms about attention do not find equally many of each kind.
    """
    if heads % (groups or heads):
        raise Refusal(f"llama: {heads} heads cannot share {groups} groups (allowed: a number that divides {heads}, or 0)")
    options = {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": groups or heads,
        "intermediate_size": intermediate,
        "max_position_embeddings": positions,
        "rope_parameters": {"rope_type": "default", "rope_theta": base},
        "attention_dropout": dropout,
        "tie_word_embeddings": tied,
        "attn_implementation": attention,
    }
    return causal("Llama", shape, positions, options)
