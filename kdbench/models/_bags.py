"""What the text models without attention share: embeddings in which padding is nothing."""

from __future__ import annotations

import torch
from torch import nn

from kdbench import Shape

from ._text_classifier import vocabulary_of


class Words(nn.Module):
    """tokens int64 (b, length) -> embeddings (b, length, d), zeros where there is padding, whatever the weights hold there."""

    def __init__(self, name: str, shape: Shape, vocabulary: int | None, size: int) -> None:
        super().__init__()
        self.padding = shape.padding
        self.table = nn.Embedding(vocabulary_of(name, shape, vocabulary), size)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Look up, and silence the padding."""
        return self.table(tokens) * self.kept(tokens)  # type: ignore[no-any-return]

    def kept(self, tokens: torch.Tensor) -> torch.Tensor:
        """1 for a token, 0 for padding, (b, length, 1)."""
        return (tokens != self.padding).to(self.table.weight.dtype).unsqueeze(2)
