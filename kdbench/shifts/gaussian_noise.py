"""Sensor noise in poor light: independent normal noise on every pixel."""

from __future__ import annotations

import numpy as np

from kdbench import shift

SIGMA = (0.04, 0.08, 0.12, 0.18, 0.26)


@shift(kinds=("image",))
def gaussian_noise(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """X + sigma * N(0, 1), clipped to 0..1, with sigma = .04, .08, .12, .18, .26 of the range; x float32 (n, c, h, w) in 0..1."""
    noise = rng.standard_normal(x.shape, dtype=np.float32)
    noisy = np.clip(x + np.float32(SIGMA[severity - 1]) * noise, 0, 1)
    return np.asarray(noisy)
