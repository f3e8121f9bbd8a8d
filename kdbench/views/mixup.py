"""Mixup: convex combinations of pairs of examples and of their labels."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch.nn import functional

from kdbench import Batch, Positive, Refusal, Shape, view


@view(recorded=False)
def mixup(batch: Batch, rng: np.random.Generator, shape: Shape, *, alpha: Positive = 1.0) -> Batch:
    """Mix each example with another: x = l x_i + (1 - l) x_j, y = l y_i + (1 - l) y_j, l ~ Beta(alpha, alpha).

    Conventions. Zhang et al. 2018, section 2: one l per batch, j a random order of the batch, alpha 1 (their CIFAR setting).
    Labels become soft targets (b, classes). Categories and tokens have no convex combinations: Refusal.
    """
    if any(not x.is_floating_point() and x.numel() for x in batch.x.values()):
        raise Refusal("mixup: categories and tokens cannot be mixed; it is for images and numeric columns")
    share = float(rng.beta(alpha, alpha))
    other = torch.from_numpy(rng.permutation(batch.y.shape[0]))
    y = functional.one_hot(batch.y, shape.classes).float() if batch.y.ndim == 1 else batch.y
    x = {name: share * value + (1 - share) * value[other] for name, value in batch.x.items() if value.is_floating_point()}
    return dataclasses.replace(batch, x={**batch.x, **x}, y=share * y + (1 - share) * y[other])
