"""Random mirroring of an image."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from kdbench import Batch, Fraction, view


@view(recorded=False)
def horizontal_flip(batch: Batch, rng: np.random.Generator, *, p: Fraction = 0.5) -> Batch:
    """Mirror each image left to right with probability p, independently. Not for digits or text, where it changes the class."""
    x = batch.x["image"]
    flipped = torch.from_numpy(rng.random(x.shape[0]) < p)
    image = torch.where(flipped[:, None, None, None], x.flip(3), x)
    return dataclasses.replace(batch, x={**batch.x, "image": image})
