"""A tilted camera or page."""

from __future__ import annotations

import numpy as np

from kdbench import shift
from kdbench.shifts._warp import grid, sample

DEGREES = (6.0, 12.0, 18.0, 25.0, 33.0)


@shift(kinds=("image",))
def rotate(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Turned about the middle by 6, 12, 18, 25, 33 degrees, left or right at random; bilinear, edges repeated.

    x float32 (n, c, h, w) in 0..1.
    """
    angle = np.deg2rad(DEGREES[severity - 1]) * (2.0 * rng.integers(0, 2, len(x)) - 1)[:, None, None]
    row, column = grid(x)
    middle = (x.shape[2] - 1) / 2, (x.shape[3] - 1) / 2
    down, across = row - middle[0], column - middle[1]
    turned_row = middle[0] + down * np.cos(angle) - across * np.sin(angle)
    turned_column = middle[1] + down * np.sin(angle) + across * np.cos(angle)
    return sample(x, turned_row, turned_column)
