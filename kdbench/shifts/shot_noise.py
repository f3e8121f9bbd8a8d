"""Photon noise: each pixel counts few photons, so bright pixels vary more."""

from __future__ import annotations

import numpy as np

from kdbench import shift

PHOTONS = (60, 25, 12, 6, 3)


@shift(kinds=("image",))
def shot_noise(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Poisson(p * x) / p, clipped to 0..1; x float32 (n, c, h, w) in 0..1. p, the photons of a white pixel: 60, 25, 12, 6, 3."""
    photons = PHOTONS[severity - 1]
    return np.clip(rng.poisson(x * np.float64(photons)) / photons, 0, 1).astype(np.float32)
