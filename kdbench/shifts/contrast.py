"""Haze or a bad display: less contrast."""

from __future__ import annotations

import numpy as np

from kdbench import shift

KEPT = (0.75, 0.6, 0.45, 0.3, 0.15)


@shift(kinds=("image",))
def contrast(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Towards the mean m of the image, m + k * (x - m), k = .75, .6, .45, .3, .15.

    x float32 (n, c, h, w) in 0..1. rng is not used.
    """
    del rng
    middle = x.mean(axis=(1, 2, 3), keepdims=True)
    out: np.ndarray = middle + np.float32(KEPT[severity - 1]) * (x - middle)
    return out
