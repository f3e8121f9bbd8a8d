"""Random shifts of an image by padding and cropping."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch.nn import functional

from kdbench import Batch, Count, view


@view(recorded=False)
def random_crop(batch: Batch, rng: np.random.Generator, *, padding: Count = 4) -> Batch:
    """Pad each side by `padding` pixels and cut a window of the old size at a random place, another one for each example.

    Conventions. He et al. 2016, section 4.2 (padding 4 on 32x32; take 1 on 8x8). Padding is zero after normalisation: the mean
    colour.
    """
    x = batch.x["image"]
    b, _, height, width = x.shape
    top, left = torch.from_numpy(rng.integers(0, 2 * padding + 1, (2, b)))
    rows = top[:, None, None] + torch.arange(height)[:, None]
    columns = left[:, None, None] + torch.arange(width)
    padded = functional.pad(x, (padding,) * 4).permute(0, 2, 3, 1)
    cut = padded[torch.arange(b)[:, None, None], rows, columns].permute(0, 3, 1, 2)
    return dataclasses.replace(batch, x={**batch.x, "image": cut})
