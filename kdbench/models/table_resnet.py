"""The residual network of tables."""

from __future__ import annotations

import torch
from torch import nn

from kdbench import Columns, Count, Fraction, Shape, model


class _Block(nn.Module):
    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm1d(width),
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


class _Net(nn.Module):
    def __init__(self, columns: nn.Module, first: nn.Module, blocks: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.columns = columns
        self.first = first
        self.blocks = blocks
        self.head = head

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.first(self.columns(numeric, categorical))))  # type: ignore[no-any-return]


@model(
    kinds=("table",),
    taps=("first", "blocks.*"),
    paper="Gorishniy et al. 2021, Revisiting Deep Learning Models for Tabular Data, 3.2",
)
def table_resnet(
    shape: Shape, *, width: Count = 64, blocks: Count = 2, factor: Count = 2, embedding: Count = 8, dropout: Fraction = 0.1
) -> nn.Module:
    """Linear, then `blocks` of x + Dropout(Linear(Dropout(ReLU(Linear(BatchNorm(x)))))), then Linear(ReLU(BatchNorm(x))).

    Input numeric (b, p) and categorical codes (b, q); gives logits (b, classes).

    Conventions. The inner layer of a block is `factor` times as wide. Both dropouts of the paper share one rate. Categories are
    embedded in `embedding` numbers each and joined to the numeric columns, as in the authors' code. Weights start as torch does.
    Taps: the first linear layer and each block's sum.
    """
    columns = Columns(shape, embedding)
    first = nn.Linear(columns.width, width)
    body = nn.Sequential(*(_Block(width, factor * width, dropout) for _ in range(blocks)))
    head = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, shape.classes))
    return _Net(columns, first, body, head)
