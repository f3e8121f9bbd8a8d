"""A harder version of the test examples: `data: {shifts: [my_shift], severities: [1, 3, 5]}`."""

from __future__ import annotations

import numpy as np

from kdbench import ProperFraction, shift


@shift(kinds=("image",))
def my_shift(x: np.ndarray, severity: int, *, step: ProperFraction = 0.15) -> np.ndarray:
    """Darken: x (n, channels, height, width) float32 in 0..1, times 1 - step x severity, with severity 1..5."""
    return (x * max(0.0, 1.0 - step * severity)).astype(np.float32)
