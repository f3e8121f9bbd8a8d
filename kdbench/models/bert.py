"""BERT, and all that is BERT of another size (TinyBERT, BERT-small, ...)."""

from __future__ import annotations

from typing import Literal

from torch import nn

from kdbench import Count, Fraction, Shape, model

from ._text_classifier import text_classifier


@model(
    kinds=("tokens",),
    taps=("network.bert.embeddings", "network.bert.encoder.layer.*"),
    paper="Devlin et al. 2019 (BERT)",
)
def bert(  # noqa: PLR0913 - the numbers that say which BERT it is
    shape: Shape,
    *,
    layers: Count = 12,
    hidden: Count = 768,
    heads: Count = 12,
    intermediate: Count = 3072,
    vocabulary: Count = 30522,
    positions: Count = 512,
    dropout: Fraction = 0.1,
    attention: Literal["sdpa", "eager"] = "sdpa",
) -> nn.Module:
    """A BERT encoder with pooler and classifier, of `transformers`, from its configuration; nothing is downloaded.

    Tokens int64 (b, length) in 0..vocabulary - 1, 0 for padding, which is not attended to; gives logits (b, classes). The
    defaults are BERT-base; TinyBERT-4 (Jiao et al. 2020) is layers 4, hidden 312, intermediate 1200. attention: "sdpa", the
    fused kernel of torch, or "eager", plain matrix products. Taps: the embeddings and each layer, (b, length, hidden).
    """
    options = {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "intermediate_size": intermediate,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
        "attn_implementation": attention,
    }
    return text_classifier("Bert", shape, positions, options)
