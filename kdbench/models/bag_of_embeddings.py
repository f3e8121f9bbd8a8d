"""The mean of word vectors: the smallest text classifier that learns."""

from __future__ import annotations

import torch
from torch import nn

from kdbench import Count, Shape, model

from ._bags import Words


class _Bag(nn.Module):
    def __init__(self, words: Words, classifier: nn.Module) -> None:
        super().__init__()
        self.words = words
        self.pooled = nn.Identity()
        self.classifier = classifier

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        count = self.words.kept(tokens).sum(1).clamp(min=1.0)
        return self.classifier(self.pooled(self.words(tokens).sum(1) / count))  # type: ignore[no-any-return]


@model(kinds=("tokens",), taps=("words", "pooled"), paper="Joulin et al. 2017, Bag of Tricks for Efficient Text Classification")
def bag_of_embeddings(shape: Shape, *, embedding: Count = 64, vocabulary: Count | None = None) -> nn.Module:
    """The mean of the embeddings of a text's tokens, then a linear classifier: fastText without n-grams.

    Tokens int64 (b, length); gives logits (b, classes). Padding does not count. vocabulary: as the data have. Taps: the
    embeddings (b, length, embedding), and their mean.
    """
    words = Words("bag_of_embeddings", shape, vocabulary, embedding)
    return _Bag(words, nn.Linear(embedding, shape.classes))
