"""A moving hand or object: the image is smeared along a line."""

from __future__ import annotations

import numpy as np

from kdbench import shift
from kdbench.shifts._warp import grid, sample

LENGTH = (0.08, 0.13, 0.18, 0.24, 0.32)
LEAST_SIDE = 16
STEPS = 7


@shift(kinds=("image",))
def motion_blur(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Mean of 7 copies along a line, its angle drawn for each image; x float32 (n, c, h, w) in 0..1, edges repeated.

    The line is .08, .13, .18, .24, .32 of the shorter side long (taken as 16 where it is less).
    """
    angle = rng.uniform(0, np.pi, len(x))[:, None, None]
    length = LENGTH[severity - 1] * max(min(x.shape[2:]), LEAST_SIDE)
    row, column = grid(x)
    total = np.zeros_like(x)
    for step in np.linspace(-0.5, 0.5, STEPS):
        total += sample(x, row + step * length * np.sin(angle), column + step * length * np.cos(angle))
    return total / np.float32(STEPS)
