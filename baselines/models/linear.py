"""Logistic regression."""

from __future__ import annotations

import torch
from torch import nn

from kdbench import Columns, Shape, model


class _Table(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.numeric = nn.Linear(shape.inputs["numeric"][0], shape.classes)
        nothing = Shape("table", {"numeric": (0,), "categorical": shape.inputs["categorical"]}, shape.classes, shape.levels)
        self.categories = Columns(nothing, shape.classes) if shape.levels else None
        self.classes = shape.classes

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        logits = self.numeric(numeric)
        if self.categories is None:
            return logits  # type: ignore[no-any-return]
        effects = self.categories(numeric[:, :0], categorical)
        return logits + effects.unflatten(1, (-1, self.classes)).sum(1)  # type: ignore[no-any-return]


@model(kinds=("image", "table"))
def linear(shape: Shape) -> nn.Module:
    """Multinomial logistic regression: logits = W x + b.

    x is the flattened image, or the numeric columns joined to one indicator per category (one effect per code and class; a
    category never seen in train has none).

    Gives logits (b, classes). The floor that a small network has to beat. Weights start as torch does; no taps.
    """
    if shape.kind == "table":
        return _Table(shape)
    return nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(shape.inputs["image"]).numel(), shape.classes))
