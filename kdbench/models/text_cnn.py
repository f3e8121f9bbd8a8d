"""Convolutions over word vectors."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from kdbench import Count, Fraction, Shape, model

from ._bags import Words


class _Cnn(nn.Module):
    def __init__(self, words: Words, windows: list[int], maps: int, dropout: float, classes: int) -> None:
        super().__init__()
        size = words.table.embedding_dim
        self.words = words
        self.widths = windows
        self.windows = nn.ModuleList(nn.Conv1d(size, maps, width) for width in windows)
        self.pooled = nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(maps * len(windows), classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        words, kept = self.words(tokens).transpose(1, 2), self.words.kept(tokens).transpose(1, 2)
        seen = [
            (functional.relu(window(functional.pad(words, (0, width - 1)))) * kept).amax(2)
            for window, width in zip(self.windows, self.widths, strict=True)
        ]
        return self.classifier(self.dropout(self.pooled(torch.cat(seen, 1))))  # type: ignore[no-any-return]


@model(kinds=("tokens",), taps=("words", "pooled"), paper="Kim 2014, Convolutional Neural Networks for Sentence Classification")
def text_cnn(
    shape: Shape,
    *,
    embedding: Count = 300,
    maps: Count = 100,
    windows: tuple[Count, ...] = (3, 4, 5),
    dropout: Fraction = 0.5,
    vocabulary: Count | None = None,
) -> nn.Module:
    """Convolutions with ReLU over windows of 3, 4 and 5 embeddings, the maximum of each over the text, and a linear classifier.

    Tokens int64 (b, length); gives logits (b, classes). The numbers are Kim's. A window begins at a token and may reach over the
    end of the text, into zeros, so that texts shorter than a window are read too; padding changes nothing. vocabulary: as the
    data have. Taps: the embeddings (b, length, embedding), and the maxima.
    """
    words = Words("text_cnn", shape, vocabulary, embedding)
    return _Cnn(words, list(windows), maps, dropout, shape.classes)
