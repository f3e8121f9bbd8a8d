"""Speech from farther away: quieter, and coarser, since a sample stays a whole number."""

from __future__ import annotations

import numpy as np

from kdbench import shift

DECIBELS = (-6, -12, -18, -24, -30)


@shift(kinds=("audio",))
def gain(x: np.ndarray, severity: int) -> np.ndarray:
    """X times 10^(dB / 20) with dB = -6, -12, -18, -24, -30; x float32 (n, samples) in -1..1, stored in 16 bits again."""
    return np.asarray(x * np.float32(10 ** (DECIBELS[severity - 1] / 20)))
