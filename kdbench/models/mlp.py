"""The multilayer perceptron, for tables and small images."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from kdbench import Columns, Count, Fraction, Shape, model


class _Table(nn.Module):
    def __init__(self, columns: nn.Module, body: nn.Module) -> None:
        super().__init__()
        self.columns = columns
        self.body = body

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        return self.body(self.columns(numeric, categorical))  # type: ignore[no-any-return]


class _Image(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.body(image.flatten(1))  # type: ignore[no-any-return]


@model(kinds=("image", "table"), taps=("body.hidden.*",))
def mlp(shape: Shape, *, width: Count = 128, layers: Count = 2, embedding: Count = 8, dropout: Fraction = 0.0) -> nn.Module:
    """`layers` hidden layers of Linear, ReLU, dropout, then a linear classifier.

    Input an image (b, channels, height, width), flattened, or a table: numeric (b, p) and categorical codes (b, q), each
    category column embedded in `embedding` numbers. Gives logits (b, classes). Weights start as torch does. Taps: each hidden
    layer.
    """
    columns = Columns(shape, embedding) if shape.kind == "table" else None
    inside = columns.width if columns else torch.Size(shape.inputs["image"]).numel()
    hidden = []
    for _ in range(layers):
        hidden.append(nn.Sequential(nn.Linear(inside, width), nn.ReLU(), nn.Dropout(dropout)))
        inside = width
    body = nn.Sequential(OrderedDict(hidden=nn.Sequential(*hidden), classifier=nn.Linear(inside, shape.classes)))
    return _Table(columns, body) if columns else _Image(body)
