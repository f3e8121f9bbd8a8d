"""What the shifts of sound share: how far a clip goes in its row, and noise added to it at a signal-to-noise ratio."""

from __future__ import annotations

import numpy as np

SNR = (20.0, 10.0, 5.0, 0.0, -5.0)
"""Decibels, by severity."""


def lasts(x: np.ndarray) -> np.ndarray:
    """Samples (n,) of each row of x (n, samples) up to the last one that is not zero: what follows is padding."""
    return np.where((x != 0).any(axis=1), x.shape[1] - (x[:, ::-1] != 0).argmax(axis=1), 0)


def with_noise(x: np.ndarray, noise: np.ndarray, decibels: float) -> np.ndarray:
    """X + a noise, float32 (n, samples), where a makes 10 log10(power of the clip / power of its noise) = decibels, exactly.

    Both powers are means over the clip itself, without the padding of its row; the noise goes on in the padding, as it would in
    a room. Where the sum leaves -1..1 it is scaled down, speech and noise together, so that clipping does not change the ratio.
    A silent clip, and a clip whose noise is silent, stay as they are.
    """
    inside = np.arange(x.shape[1])[None] < lasts(x)[:, None]
    signal, added = (np.where(inside, v, 0).astype(np.float64) for v in (x, noise))
    power, other = (signal**2).sum(axis=1), (added**2).sum(axis=1)
    scale = np.sqrt(np.divide(power, other * 10 ** (decibels / 10), out=np.zeros_like(power), where=other > 0))
    out = x + scale[:, None] * noise
    peak = np.abs(out).max(axis=1, initial=0)
    return np.asarray(out / np.maximum(peak, 1)[:, None], np.float32)
