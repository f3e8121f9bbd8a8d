"""Handwriting, cloth, lenses: pixels move smoothly and irregularly."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from kdbench import shift
from kdbench.shifts._warp import grid, sample

FAR = (0.02, 0.035, 0.05, 0.07, 0.095)
SMOOTH = 0.1


@shift(kinds=("image",))
def elastic(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Each pixel moves by a smooth random field (Simard et al., ICDAR 2003): normal noise, blurred with sigma .1 of the side,
    scaled to a root mean square of .02, .035, .05, .07, .095 of the side in each direction; bilinear, edges repeated.

    x float32 (n, c, h, w) in 0..1.
    """
    side = min(x.shape[2:])
    n, _, height, width = x.shape
    row, column = grid(x)
    fields = []
    for _ in range(2):
        field = gaussian_filter(rng.standard_normal((n, height, width), dtype=np.float32), (0, SMOOTH * side, SMOOTH * side))
        size = np.sqrt((field**2).mean(axis=(1, 2), keepdims=True))
        fields.append(field * (FAR[severity - 1] * side / size))
    return sample(x, row + fields[0], column + fields[1])
