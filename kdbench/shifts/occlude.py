"""Something in front: a grey square hides a part."""

from __future__ import annotations

import numpy as np

from kdbench import shift

SIDE = (0.2, 0.3, 0.4, 0.5, 0.6)


@shift(kinds=("image",))
def occlude(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """A square of value 0.5 with sides of .2, .3, .4, .5, .6 of the image's lies at a random place; x float32 (n, c, h, w).

    Pixels that the square covers in part are mixed, so that small images, too, lose exactly that share of their area.
    """
    place = rng.random((2, len(x), 1))
    rows, columns = (_cover(side, SIDE[severity - 1], at) for side, at in zip(x.shape[2:], place, strict=True))
    hidden = (rows[:, None, :, None] * columns[:, None, None, :]).astype(np.float32)
    return np.asarray(x * (1 - hidden) + np.float32(0.5) * hidden)


def _cover(side: int, share: float, at: np.ndarray) -> np.ndarray:
    """(n, side): how much of each pixel lies between the edges."""
    low = at * side * (1 - share)
    pixel = np.arange(side)
    return np.asarray(np.clip(np.minimum(pixel + 1, low + side * share) - np.maximum(pixel, low), 0, 1))
