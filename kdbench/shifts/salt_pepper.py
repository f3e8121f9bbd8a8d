"""Dead and stuck pixels: some become black or white."""

from __future__ import annotations

import numpy as np

from kdbench import shift

SHARE = (0.02, 0.05, 0.09, 0.14, 0.20)


@shift(kinds=("image",))
def salt_pepper(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """A share of the pixels (2, 5, 9, 14, 20 %; all channels at once) becomes 0 or 1, evenly; x float32 (n, c, h, w) in 0..1.

    The pixels of a lower severity are among those of a higher one.
    """
    n, _, height, width = x.shape
    hit = rng.random((n, 1, height, width)) < SHARE[severity - 1]
    value = rng.integers(0, 2, (n, 1, height, width)).astype(np.float32)
    return np.where(hit, value, x)
