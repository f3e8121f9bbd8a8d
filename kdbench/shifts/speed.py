"""Faster and slower speech, with its pitch, as from a tape."""

from __future__ import annotations

import numpy as np

from kdbench import shift

FACTORS = (1.08, 1.16, 1.25, 1.4, 1.6)


@shift(kinds=("audio",))
def speed(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Resampled by 1.08, 1.16, 1.25, 1.4, 1.6: half of the clips faster by it, the others slower; x (n, samples) in -1..1.

    Which clips are slower is drawn once for all severities. The spectrum of the row is cut or padded, so no frequency is folded.
    Rows keep their length: zeros follow a clip that became shorter, one that became too long loses its end.
    """
    slower = rng.permutation(len(x)) < len(x) // 2
    out = np.zeros_like(x)
    for part, factor in ((slower, FACTORS[severity - 1]), (~slower, 1 / FACTORS[severity - 1])):
        stretched = _stretched(x[part], factor)[:, : x.shape[1]]
        out[part, : stretched.shape[1]] = stretched
    return np.asarray(np.clip(out, -1, 1))


def _stretched(x: np.ndarray, factor: float) -> np.ndarray:
    """Rows (n, samples) on factor * samples places."""
    samples = x.shape[1]
    new = max(2, round(samples * factor))
    spectrum = np.fft.rfft(x, axis=1)[:, : new // 2 + 1]
    if (least := min(new, samples)) % 2 == 0 and new != samples:
        spectrum[:, least // 2] *= 2 if new < samples else 0.5  # it stands for two in the longer row, for one in the shorter
    return np.asarray(np.fft.irfft(spectrum, new, axis=1) * (new / samples), np.float32)
