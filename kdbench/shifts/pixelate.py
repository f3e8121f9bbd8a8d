"""Low resolution: pixels are merged into larger squares."""

from __future__ import annotations

import numpy as np

from kdbench import shift

KEPT = (0.75, 0.625, 0.5, 0.375, 0.25)


@shift(kinds=("image",))
def pixelate(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Averaged down to .75, .625, .5, .375, .25 of each side (2 pixels at least), and enlarged again without smoothing.

    Both ways by area: a small pixel is the mean of what it covers, a large one that lies across two of them mixes them.
    x float32 (n, c, h, w) in 0..1. rng is not used.
    """
    del rng
    down, across = (_through(side, max(2, round(side * KEPT[severity - 1]))) for side in x.shape[2:])
    return np.asarray(down @ x @ across.T, np.float32)


def _through(side: int, small: int) -> np.ndarray:
    """(side, side): averages over `small` areas and back."""
    edge = np.arange(small + 1) * side / small
    pixel = np.arange(side)
    overlap = np.clip(np.minimum(edge[1:, None], pixel + 1) - np.maximum(edge[:-1, None], pixel), 0, None)
    return np.asarray(overlap.T @ (overlap * small / side), np.float32)
