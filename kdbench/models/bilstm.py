"""A bidirectional LSTM, the usual small student of a transformer."""

from __future__ import annotations

import torch
from torch import nn

from kdbench import Count, Fraction, Shape, model

from ._bags import Words


class _BothWays(nn.Module):
    """(b, length, d) and the lengths (b,) -> (b, length, 2 hidden): what was read up to each token, and from the end back to it.
    The second LSTM reads each text turned around in its own length, so that padding comes after it for both.
    """

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.onward = nn.LSTM(size, hidden, batch_first=True)
        self.back = nn.LSTM(size, hidden, batch_first=True)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        there, _ = self.onward(x)
        back, _ = self.back(_turned(x, lengths))
        return torch.cat([there, _turned(back, lengths)], 2)


class _BiLstm(nn.Module):
    def __init__(self, words: Words, layers: list[nn.Module], dropout: float, classifier: nn.Module) -> None:
        super().__init__()
        self.words = words
        self.layers = nn.ModuleList(layers)
        self.pooled = nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classifier = classifier

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.words(tokens)
        place = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
        lengths = ((tokens != self.words.padding) * place).amax(1).clamp(min=1)
        for layer in self.layers:
            x = layer(self.dropout(x), lengths)
        half = x.shape[2] // 2
        last = (lengths - 1)[:, None, None].expand(-1, 1, half)
        ends = torch.cat([x[:, :, :half].gather(1, last).squeeze(1), x[:, 0, half:]], 1)
        return self.classifier(self.dropout(self.pooled(ends)))  # type: ignore[no-any-return]


@model(
    kinds=("tokens",),
    taps=("words", "layers.*", "pooled"),
    paper="Tang et al. 2019, Distilling Task-Specific Knowledge from BERT into Simple Neural Networks",
)
def bilstm(  # noqa: PLR0913 - the sizes of its parts
    shape: Shape,
    *,
    embedding: Count = 300,
    hidden: Count = 150,
    layers: Count = 1,
    classifier: Count = 200,
    dropout: Fraction = 0.1,
    vocabulary: Count | None = None,
) -> nn.Module:
    """Embeddings, bidirectional LSTMs, the last state of each direction side by side, a hidden layer with ReLU, a classifier.

    Tokens int64 (b, length); gives logits (b, classes). The kind of network is that of Tang et al., who start from word
    vectors trained before (hidden: of each direction; classifier: its hidden layer); dropout is ours. Padding changes nothing.
    vocabulary: as the data have. Taps: the embeddings, each layer (b, length, 2 hidden), and the last states.
    """
    words = Words("bilstm", shape, vocabulary, embedding)
    read: list[nn.Module] = [_BothWays(2 * hidden if i else embedding, hidden) for i in range(layers)]
    head = nn.Sequential(nn.Linear(2 * hidden, classifier), nn.ReLU(), nn.Linear(classifier, shape.classes))
    return _BiLstm(words, read, dropout, head)


def _turned(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Each text (b, length, d) from its last token to its first; what comes after it stays."""
    place = torch.arange(x.shape[1], device=x.device)
    there = lengths[:, None] - 1 - place
    index = torch.where(there >= 0, there, place)
    return x.gather(1, index[:, :, None].expand(-1, -1, x.shape[2]))
