"""Out of focus: Gaussian blur."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from kdbench import shift

SIGMA = (0.03, 0.045, 0.06, 0.08, 0.10)
LEAST_SIDE = 16


@shift(kinds=("image",))
def blur(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur of each channel, edges repeated; x float32 (n, c, h, w) in 0..1. rng is not used.

    sigma = .03, .045, .06, .08, .10 of the shorter side (taken as 16 where it is less, or a small image would not change): 0.5 to
    1.6 pixels on 8x8, 0.8 to 2.8 on 28x28.
    """
    del rng
    sigma = SIGMA[severity - 1] * max(min(x.shape[2:]), LEAST_SIDE)
    return np.asarray(gaussian_filter(x, (0, 0, sigma, sigma), mode="nearest"), np.float32)
