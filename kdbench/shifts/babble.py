"""Other people who speak at the same time."""

from __future__ import annotations

import numpy as np

from kdbench import Count, Refusal, shift
from kdbench.shifts._clip import SNR, with_noise


@shift(kinds=("audio",))
def babble(x: np.ndarray, severity: int, rng: np.random.Generator, *, voices: Count = 6) -> np.ndarray:
    """The sum of `voices` other clips of the split at 20, 10, 5, 0, -5 dB; x float32 (n, samples) in -1..1.

    Each voice is brought to equal power and turned around its row by a random time, so that they do not start together. The
    ratio is that of the mean powers over the clip without padding, as in `sound_noise`. The same voices grow with the severity.
    Raises Refusal where the split has no more clips than voices.
    """
    n, samples = x.shape
    if n <= voices:
        raise Refusal(f"babble: {voices} voices out of {n} clips (allowed: voices below the number of test clips)")
    power = np.sqrt((x.astype(np.float64) ** 2).mean(axis=1))
    level = np.divide(1, power, out=np.zeros_like(power), where=power > 0)
    order, steps = rng.permutation(n), rng.choice(np.arange(1, n), voices, replace=False)
    turned = rng.integers(0, samples, (voices, n))
    noise = np.zeros((n, samples))
    for step, turn in zip(steps, turned, strict=True):
        other = np.empty(n, np.int64)
        other[order] = np.roll(order, step)  # never the clip itself, and no clip twice
        place = (np.arange(samples)[None] + turn[:, None]) % samples
        noise += level[other][:, None] * np.take_along_axis(x[other], place, axis=1)
    return with_noise(x, noise, SNR[severity - 1])
