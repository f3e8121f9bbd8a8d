"""T5: an encoder that reads a text and a decoder that writes another."""

from __future__ import annotations

from typing import Literal

from torch import nn

from kdbench import Count, Fraction, Shape, model

from ._pretrained import Translator
from ._sequence import fresh


@model(
    kinds=("tokens",),
    answers=("text",),
    layout="pair",
    taps=("network.decoder.embed_tokens", "network.decoder.block.*.layer.2"),
    inner={
        "query": "network.decoder.block.*.layer.0.SelfAttention.q",
        "key": "network.decoder.block.*.layer.0.SelfAttention.k",
        "value": "network.decoder.block.*.layer.0.SelfAttention.v",
    },
    paper="Raffel et al. 2020, Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
)
def t5(  # noqa: PLR0913 - the numbers that say which T5 it is
    shape: Shape,
    *,
    layers: Count = 2,
    decoder_layers: Count = 2,
    hidden: Count = 128,
    heads: Count = 4,
    head: Count = 32,
    intermediate: Count = 512,
    dropout: Fraction = 0.1,
    activation: Literal["relu", "gated-gelu"] = "relu",
) -> nn.Module:
    """A T5 of `transformers` from its configuration, with fresh weights; nothing is downloaded.

    Tokens int64 (b, length) and prefix int64 (b, m), both filled up on the right, give logits (b, m, vocabulary) of what follows
    each token of the prefix; padding of the source is not attended to. The vocabulary is that of the data. The defaults are tiny;
    T5-small is layers 6, decoder_layers 6, hidden 512, heads 8, head 64, intermediate 2048. Positions are relative: rows may be
    of any length. activation: "relu" as in T5, "gated-gelu" as in T5 1.1 (whose output matrix is its own). Taps: the embeddings
    of the prefix and each layer of the decoder, (b, m, hidden).
    """
    options = {
        "num_layers": layers,
        "num_decoder_layers": decoder_layers,
        "d_model": hidden,
        "num_heads": heads,
        "d_kv": head,
        "d_ff": intermediate,
        "dropout_rate": dropout,
        "feed_forward_proj": activation,
        "tie_word_embeddings": activation == "relu",
    }
    return Translator(fresh("T5", "ConditionalGeneration", shape, options), shape.padding)
