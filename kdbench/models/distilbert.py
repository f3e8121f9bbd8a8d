"""DistilBERT: BERT without token types and pooler."""

from __future__ import annotations

from typing import Literal

from torch import nn

from kdbench import Count, Fraction, Shape, model

from ._text_classifier import text_classifier


@model(
    kinds=("tokens",),
    taps=("network.distilbert.embeddings", "network.distilbert.transformer.layer.*"),
    paper="Sanh et al. 2019 (DistilBERT)",
)
def distilbert(  # noqa: PLR0913 - the numbers that say which DistilBERT it is
    shape: Shape,
    *,
    layers: Count = 6,
    hidden: Count = 768,
    heads: Count = 12,
    intermediate: Count = 3072,
    vocabulary: Count = 30522,
    positions: Count = 512,
    dropout: Fraction = 0.1,
    attention: Literal["sdpa", "eager"] = "sdpa",
) -> nn.Module:
    """A DistilBERT encoder with its classifier of two layers, of `transformers`, from its configuration; nothing is downloaded.

    Tokens int64 (b, length) in 0..vocabulary - 1, 0 for padding, which is not attended to; gives logits (b, classes). The
    defaults are DistilBERT of 6 layers. attention: "sdpa", the fused kernel of torch, or "eager", plain matrix products.
    Taps: the embeddings and each layer, (b, length, hidden).
    """
    options = {
        "n_layers": layers,
        "dim": hidden,
        "n_heads": heads,
        "hidden_dim": intermediate,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "dropout": dropout,
        "attention_dropout": dropout,
        "attn_implementation": attention,
    }
    return text_classifier("DistilBert", shape, positions, options)
