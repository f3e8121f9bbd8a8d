"""Overexposure: everything is brighter, the brightest is lost."""

from __future__ import annotations

import numpy as np

from kdbench import shift

ADDED = (0.1, 0.2, 0.3, 0.4, 0.5)


@shift(kinds=("image",))
def brightness(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """X + .1, .2, .3, .4, .5, clipped to 1; x float32 (n, c, h, w) in 0..1. rng is not used."""
    del rng
    return np.clip(x + np.float32(ADDED[severity - 1]), 0, 1)
