"""What happens to a batch before the networks see it: `train: {views: [my_view]}`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from kdbench import Batch, Fraction, view


# recorded: whether what the teacher said about the plain examples still holds after this. Here it does not: it must look again.
@view(recorded=False)
def my_view(batch: Batch, rng: np.random.Generator, *, chance: Fraction = 0.5) -> Batch:
    """Mirror each image left to right with the given chance.

    batch.x["image"]: (b, channels, height, width). All randomness comes from `rng`, so that every contender sees the same.
    """
    image = batch.x["image"]
    mirrored = torch.from_numpy(rng.random(len(image)) < chance)
    return replace(batch, x={**batch.x, "image": torch.where(mirrored[:, None, None, None], image.flip(-1), image)})
