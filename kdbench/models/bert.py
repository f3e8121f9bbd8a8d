"""BERT, and all that is BERT of another size (TinyBERT, BERT-small, ...)."""

from __future__ import annotations

from typing import Literal

from torch import nn

from kdbench import Count, Fraction, Shape, Whole, model

from ._text_classifier import text_classifier, vocabulary_of
from ._text_encoder import text_encoder


@model(
    kinds=("tokens",),
    answers=("class", "vector"),
    taps=("network.bert.embeddings", "network.bert.encoder.layer.*"),
    inner={
        "query": "network.bert.encoder.layer.*.attention.self.query",
        "key": "network.bert.encoder.layer.*.attention.self.key",
        "value": "network.bert.encoder.layer.*.attention.self.value",
    },
    paper="Devlin et al. 2019 (BERT)",
)
def bert(  # noqa: PLR0913 - the numbers that say which BERT it is
    shape: Shape,
    *,
    layers: Count = 12,
    hidden: Count = 768,
    heads: Count = 12,
    intermediate: Count = 3072,
    vocabulary: Count | None = None,
    positions: Count = 512,
    dropout: Fraction = 0.1,
    attention: Literal["sdpa", "eager"] = "sdpa",
    dimension: Whole = 0,
) -> nn.Module:
    """A BERT encoder with pooler and classifier, of `transformers`, from its configuration; nothing is downloaded.

    Tokens int64 (b, length) in 0..vocabulary - 1 (as the data have, or BERT's 30522); padding is not attended to; gives logits
    (b, classes). The defaults are BERT-base; TinyBERT-4 (Jiao et al. 2020) is layers 4, hidden 312, intermediate 1200.
    attention: "sdpa", the fused kernel of torch, or "eager", plain matrix products. Taps: the embeddings and each layer, (b,
    length, hidden). Where a vector is asked for: no head, the mean over the tokens, and a linear map to `dimension` numbers (0:
    none).
    """
    options = {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "intermediate_size": intermediate,
        "vocab_size": vocabulary_of("bert", shape, vocabulary),
        "max_position_embeddings": positions,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
        "attn_implementation": attention,
    }
    if shape.answer == "vector":
        return text_encoder("Bert", shape, positions, options, dimension)
    return text_classifier("Bert", shape, positions, options)
