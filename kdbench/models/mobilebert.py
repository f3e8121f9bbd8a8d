"""MobileBERT: many thin layers with bottlenecks."""

from __future__ import annotations

from typing import Literal

from torch import nn

from kdbench import Count, Shape, model

from ._text_classifier import text_classifier, vocabulary_of


@model(
    kinds=("tokens",),
    taps=("network.mobilebert.embeddings", "network.mobilebert.encoder.layer.*"),
    inner={
        "query": "network.mobilebert.encoder.layer.*.attention.self.query",
        "key": "network.mobilebert.encoder.layer.*.attention.self.key",
        "value": "network.mobilebert.encoder.layer.*.attention.self.value",
    },
    paper="Sun et al. 2020 (MobileBERT)",
)
def mobilebert(  # noqa: PLR0913 - the numbers that say which MobileBERT it is
    shape: Shape,
    *,
    layers: Count = 24,
    hidden: Count = 512,
    bottleneck: Count = 128,
    heads: Count = 4,
    intermediate: Count = 512,
    stacked: Count = 4,
    attend: Literal["wide", "narrow"] = "wide",
    vocabulary: Count | None = None,
    positions: Count = 512,
    attention: Literal["sdpa", "eager"] = "sdpa",
) -> nn.Module:
    """A MobileBERT encoder with classifier, of `transformers`, from its configuration; nothing is downloaded.

    Tokens int64 (b, length) in 0..vocabulary - 1 (as the data have, or BERT's 30522); padding is not attended to; gives logits
    (b, classes). hidden: between layers; bottleneck: within them; stacked: feed-forward parts of a layer; attend: whether values
    are made from the hidden state ("wide") or from the bottleneck ("narrow", MobileBERT-tiny, with stacked 2). attention: "sdpa",
    the fused kernel of torch, or "eager", plain matrix products. Taps: the embeddings and each layer, (b, length, hidden).
    """
    options = {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "intra_bottleneck_size": bottleneck,
        "num_attention_heads": heads,
        "intermediate_size": intermediate,
        "num_feedforward_networks": stacked,
        "use_bottleneck_attention": attend == "narrow",
        "key_query_shared_bottleneck": attend == "wide",
        "vocab_size": vocabulary_of("mobilebert", shape, vocabulary),
        "max_position_embeddings": positions,
        "attn_implementation": attention,
    }
    return text_classifier("MobileBert", shape, positions, options)
