"""DistilBERT: BERT without token types and pooler."""

from __future__ import annotations

from typing import Literal

from torch import nn

from kdbench import Count, Fraction, Shape, Whole, model

from ._text_classifier import text_classifier, vocabulary_of
from ._text_encoder import text_encoder


@model(
    kinds=("tokens",),
    answers=("class", "vector"),
    taps=("network.distilbert.embeddings", "network.distilbert.transformer.layer.*"),
    inner={
        "query": "network.distilbert.transformer.layer.*.attention.q_lin",
        "key": "network.distilbert.transformer.layer.*.attention.k_lin",
        "value": "network.distilbert.transformer.layer.*.attention.v_lin",
    },
    paper="Sanh et al. 2019 (DistilBERT)",
)
def distilbert(  # noqa: PLR0913 - the numbers that say which DistilBERT it is
    shape: Shape,
    *,
    layers: Count = 6,
    hidden: Count = 768,
    heads: Count = 12,
    intermediate: Count = 3072,
    vocabulary: Count | None = None,
    positions: Count = 512,
    dropout: Fraction = 0.1,
    attention: Literal["sdpa", "eager"] = "sdpa",
    dimension: Whole = 0,
) -> nn.Module:
    """A DistilBERT encoder with its classifier of two layers, of `transformers`, from its configuration; nothing is downloaded.

    Tokens int64 (b, length) in 0..vocabulary - 1 (as the data have, or BERT's 30522); padding is not attended to; gives logits
    (b, classes). The defaults are DistilBERT of 6 layers. attention: "sdpa", the fused kernel of torch, or "eager", plain matrix
    products. Taps: the embeddings and each layer, (b, length, hidden). Where a vector is asked for: no head, the mean over the
    tokens, and a linear map to `dimension` numbers (0: none).
    """
    options = {
        "n_layers": layers,
        "dim": hidden,
        "n_heads": heads,
        "hidden_dim": intermediate,
        "vocab_size": vocabulary_of("distilbert", shape, vocabulary),
        "max_position_embeddings": positions,
        "dropout": dropout,
        "attention_dropout": dropout,
        "attn_implementation": attention,
    }
    if shape.answer == "vector":
        return text_encoder("DistilBert", shape, positions, options, dimension)
    return text_classifier("DistilBert", shape, positions, options)
