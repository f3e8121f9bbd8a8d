"""Noise in the room or in the wire, at a signal-to-noise ratio."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import shift
from kdbench.shifts._clip import SNR, with_noise


@shift(kinds=("audio",))
def sound_noise(
    x: np.ndarray, severity: int, rng: np.random.Generator, *, colour: Literal["white", "pink"] = "pink"
) -> np.ndarray:
    """Noise at 20, 10, 5, 0, -5 dB; x float32 (n, samples) in -1..1.

    The ratio is that of the mean powers over the clip without the padding of its row, exact for each clip, and the noise goes on
    in the padding; a sum that is too loud is scaled down as a whole. colour: white (equal power at all frequencies) or pink
    (power 1/f: more like a room). The same noise grows with the severity.
    """
    noise = rng.standard_normal(x.shape, dtype=np.float32)
    if colour == "pink":
        spectrum = np.fft.rfft(noise, axis=1)
        weight = np.zeros(spectrum.shape[1])
        weight[1:] = 1 / np.sqrt(np.arange(1, len(weight)))  # no constant: it would be power that nobody hears
        noise = np.fft.irfft(spectrum * weight, x.shape[1], axis=1).astype(np.float32)
    return with_noise(x, noise, SNR[severity - 1])
