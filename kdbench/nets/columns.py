"""Turn the columns of a table into one vector per row: numbers as they are, categories through embeddings."""

from __future__ import annotations

import torch
from torch import nn

from kdbench.nouns import Shape


class Columns(nn.Module):
    """numeric (b, p) float, categorical (b, q) codes -> (b, p + q * size).

    One table holds the embeddings of all columns. Code 0 ("never seen in train") starts at zero and gets no gradient from the
    training split, so an unseen category adds nothing. Other rows start uniform in +-1/sqrt(size) (Gorishniy et al. 2021).
    """

    starts: torch.Tensor

    def __init__(self, shape: Shape, size: int) -> None:
        super().__init__()
        starts = [sum(shape.levels[:i]) for i in range(len(shape.levels))]
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.int64), persistent=False)
        self.width = shape.inputs["numeric"][0] + size * len(starts)
        self.table = nn.Embedding(sum(shape.levels), size) if starts else None
        if self.table is not None:
            nn.init.uniform_(self.table.weight, -(size**-0.5), size**-0.5)
            with torch.no_grad():
                self.table.weight[starts] = 0.0

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """(b, p) and (b, q) -> (b, width)."""
        if self.table is None:
            return numeric
        embedded = self.table(categorical + self.starts).flatten(1)
        return torch.cat([numeric, embedded], 1)
