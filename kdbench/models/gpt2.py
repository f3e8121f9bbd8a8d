"""GPT-2, and what is GPT-2 of another size (DistilGPT-2, the small students of the distillation papers)."""

from __future__ import annotations

from typing import Literal

from torch import nn

from kdbench import Count, Fraction, Shape, model

from ._causal import causal


@model(
    kinds=("tokens",),
    answers=("next", "text"),
    layout="prompt",
    taps=("network.transformer.drop", "network.transformer.h.*"),
    paper="Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
)
def gpt2(  # noqa: PLR0913 - the numbers that say which GPT-2 it is
    shape: Shape,
    *,
    layers: Count = 12,
    hidden: Count = 768,
    heads: Count = 12,
    positions: Count = 1024,
    dropout: Fraction = 0.1,
    attention: Literal["sdpa", "eager"] = "sdpa",
) -> nn.Module:
    """A GPT-2 decoder with its language-model head, of `transformers`, from its configuration; nothing is downloaded.

    Tokens int64 (b, length) -> logits (b, length, vocabulary) of the next token of each position. The vocabulary is that of the
    data; the output matrix is the embedding. The defaults are the smallest GPT-2 (124 M with its own vocabulary); DistilGPT-2 is
    layers 6. The inner layer is 4 times as wide. positions: learned ones, at least as many as a row has tokens. attention:
    "sdpa", the fused kernel of torch, or "eager", plain matrix products. Taps: what enters the first layer, and each layer, (b,
    length, hidden). Queries, keys and values come from one fused matrix, so terms about attention do not find them one by one.
    """
    options = {
        "n_layer": layers,
        "n_embd": hidden,
        "n_head": heads,
        "n_positions": positions,
        "embd_pdrop": dropout,
        "resid_pdrop": dropout,
        "attn_pdrop": dropout,
        "attn_implementation": attention,
    }
    return causal("GPT2", shape, positions, options)
