"""A recorder whose gain was set too high."""

from __future__ import annotations

import numpy as np

from kdbench import shift

SHARE = (0.5, 0.3, 0.2, 0.1, 0.05)


@shift(kinds=("audio",))
def clipping(x: np.ndarray, severity: int) -> np.ndarray:
    """Hard clipping at .5, .3, .2, .1, .05 of each clip's own peak, then brought back to that peak; x float32 (n, samples)."""
    share = np.float32(SHARE[severity - 1])
    peak = np.abs(x).max(axis=1, keepdims=True, initial=0)
    return np.asarray(np.clip(x / share, -peak, peak))
