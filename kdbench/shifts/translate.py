"""A bad crop: the object is not in the middle."""

from __future__ import annotations

import numpy as np

from kdbench import shift
from kdbench.shifts._warp import grid, sample

SHARE = (0.04, 0.08, 0.12, 0.16, 0.20)


@shift(kinds=("image",))
def translate(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Moved by .04, .08, .12, .16, .20 of the shorter side in a direction drawn for each image; bilinear, edges repeated.

    x float32 (n, c, h, w) in 0..1.
    """
    angle = rng.uniform(0, 2 * np.pi, len(x))[:, None, None]
    far = SHARE[severity - 1] * min(x.shape[2:])
    row, column = grid(x)
    return sample(x, row + far * np.sin(angle), column + far * np.cos(angle))
