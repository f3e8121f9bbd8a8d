"""Kind "audio": clips stored as samples, given to a model as log-mel spectrograms.

    int16 (n, samples) -> -1..1 -> power spectrum of windows -> mel bands -> log10 -> standardised by band, with train alone

Conventions: those of Whisper up to its scaling (transformers' `WhisperFeatureExtractor`). A periodic Hann window as long as the
transform; windows centred on every hop, the row reflected at both ends, the last one left out, so that frames = samples // hop;
Slaney's mel scale (linear up to 1000 Hz, logarithmic above) from 0 Hz to half the rate, triangles of equal area; power 2;
log10 of at least 1e-10, which is about the power of the rounding of a 16-bit recording, so digital silence is no outlier.

The front end is part of the data, the same for every contender, and is computed when rows are read: no latency, operation or
parameter of a model holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench.nouns import Json, Refusal, Samples
from kdbench.registry import nearest
from kdbench.stages.prepare import Prepared

FRONT: Mapping[str, float] = {"mels": 40, "window": 0.025, "hop": 0.010}
"""Bands, and seconds of a window and of a hop, where a dataset does not say otherwise."""
FLOOR = 1e-10
FULL = 32768.0
"""The int16 of an amplitude of 1."""
RATES = (1000, 384_000)
MOST_MELS = 512
ROWS = 64
"""Rows transformed at once."""
LINEAR, PER_HERTZ, STEP = 1000.0, 3 / 200, np.log(6.4) / 27
"""Slaney's scale: 15 mels up to 1000 Hz; above, 27 more mels for each factor of 6.4."""


def check(samples: Samples) -> None:
    """Raise Refusal for clips without a rate or without samples, and for a front end that cannot be."""
    width = samples.x["audio"].shape[1]
    front = _front(samples.rate, samples.front)
    if width <= front["window"]:
        raise Refusal(f"data: rows of {width} samples; more than a window of {front['window']} are needed")


def fit(samples: Samples, audio: np.ndarray, train: np.ndarray) -> Prepared:
    """The front end, and mean and std (population; 1 where it is 0) of each band over all frames of the rows `train` (n,)."""
    front = _front(samples.rate, samples.front)
    sums = np.zeros((int(train.sum()), front["mels"], 2))
    for start, part in _parts(audio[train]):
        bands = log_mel(part, front)
        sums[start : start + len(part)] = np.stack([bands.mean(axis=2), (bands**2).mean(axis=2)], axis=2)
    mean, square = np.sort(sums, axis=0).mean(axis=0).T  # sorted: the order of the rows changes no bit
    std = np.sqrt(np.maximum(square - mean**2, 0))
    prepare: dict[str, Json] = {**front, "mean": mean.tolist(), "std": np.where(std > 1e-6, std, 1.0).tolist()}
    silent = int((audio == 0).all(axis=1).sum())
    note = (
        f"models see log-mel spectrograms: {front['mels']} bands, windows of {front['window']} samples every {front['hop']}, "
        f"at {front['rate']} a second; latency and operations are those of the network, without this front end"
    )
    return Prepared({"audio": audio}, {"audio": prepare}, (), (note, *([f"{silent} clips are silent"] if silent else [])))


def ready(audio: np.ndarray, prepare: Mapping[str, Any]) -> np.ndarray:
    """int16 (n, samples) -> float32 (n, mels, frames), standardised by band with what `fit` found."""
    mean, std = (np.asarray(prepare[k], np.float64)[:, None] for k in ("mean", "std"))
    out = np.empty((len(audio), *size(audio.shape[1], prepare)), np.float32)
    for start, part in _parts(audio):
        out[start : start + len(part)] = (log_mel(part, prepare) - mean) / std
    return out


def size(samples: int, front: Mapping[str, Any]) -> tuple[int, int]:
    """(mels, frames) of a row."""
    return int(front["mels"]), samples // int(front["hop"])


def log_mel(audio: np.ndarray, front: Mapping[str, Any]) -> np.ndarray:
    """int16 (n, samples) -> float64 (n, mels, frames), log10 of the power in each band. front: rate, mels, window, hop."""
    window, hop = int(front["window"]), int(front["hop"])
    x = np.pad(audio / FULL, ((0, 0), (window // 2, window // 2)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(x, window, axis=1)[:, ::hop][:, : audio.shape[1] // hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    spectrum = np.fft.rfft(frames * hann, axis=2)
    power = spectrum.real**2 + spectrum.imag**2
    bands = power @ mel_filters(int(front["rate"]), window, int(front["mels"]))
    return np.asarray(np.log10(np.maximum(bands, FLOOR)).transpose(0, 2, 1))


def mel_filters(rate: int, window: int, mels: int) -> np.ndarray:
    """Weights (window // 2 + 1, mels): triangles in hertz between neighbouring points that are equally far apart in mels, each
    divided by half its width in hertz (Slaney 1998, Auditory Toolbox).
    """
    top = rate / 2
    highest = top * PER_HERTZ if top < LINEAR else LINEAR * PER_HERTZ + np.log(top / LINEAR) / STEP
    mel = np.linspace(0, highest, mels + 2)
    hertz = np.where(mel < LINEAR * PER_HERTZ, mel / PER_HERTZ, LINEAR * np.exp(STEP * (mel - LINEAR * PER_HERTZ)))
    bins = np.arange(window // 2 + 1)[:, None] * (rate / window)
    low, middle, high = hertz[:-2], hertz[1:-1], hertz[2:]
    triangle = np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
    return np.asarray(triangle * 2 / (high - low))


def to_plugin(audio: np.ndarray) -> np.ndarray:
    """int16 -> float32 in -1..1, as a shift takes it."""
    return audio.astype(np.float32) / np.float32(FULL)


def to_stored(audio: np.ndarray) -> np.ndarray:
    """Float in -1..1 -> int16, rounded; what is louder is clipped, as by a recorder."""
    return np.asarray(np.clip(np.rint(np.asarray(audio, np.float64) * FULL), -FULL, FULL - 1), np.int16)


def outside(audio: np.ndarray, there: Mapping[str, Any], samples: int, here: Mapping[str, Any]) -> np.ndarray:
    """Clips of other data, int16 (n, samples): resampled to the rate `here`, then cut at the end or padded with zeros. there,
    here: what `fit` found for each.
    """
    same = audio if there["rate"] == here["rate"] else resampled(audio, there["rate"], here["rate"])
    cut = same[:, :samples]
    return np.ascontiguousarray(np.pad(cut, ((0, 0), (0, samples - cut.shape[1]))))


def said(there: Mapping[str, Any], before: int, here: Mapping[str, Any], samples: int) -> str:
    """A note on what `outside` did to rows of `before` samples."""
    same = there["rate"] == here["rate"]
    rate = "the same rate" if same else f"resampled from {there['rate']} to {here['rate']} samples a second"
    seconds = f"{before / there['rate']:g} s brought to {samples / here['rate']:g} s"
    return f"sound from outside: {rate}; rows of {seconds}, their end cut off or filled with zeros; the task's own front end"


def resampled(audio: np.ndarray, old: int, new: int) -> np.ndarray:
    """int16 (n, samples) at another rate: the spectrum of the whole row, cut or padded with zeros (no frequency is folded)."""
    m = max(2, round(audio.shape[1] * new / old))
    out = np.empty((len(audio), m), np.int16)
    for start, part in _parts(audio):
        spectrum = np.fft.rfft(part / FULL, axis=1)[:, : m // 2 + 1]
        if (least := min(m, part.shape[1])) % 2 == 0:  # the middle one stands for two in the longer row, for one in the shorter
            spectrum[:, least // 2] *= 2 if m < part.shape[1] else 0.5 if m > part.shape[1] else 1
        out[start : start + len(part)] = to_stored(np.fft.irfft(spectrum, m, axis=1) * (m / part.shape[1]))
    return out


def _front(rate: int, asked: Mapping[str, float]) -> dict[str, int]:
    """Rate, bands, and samples of a window (an even number) and of a hop. Raises Refusal."""
    if not RATES[0] <= rate <= RATES[1]:
        raise Refusal(f"data: a rate of {rate} samples a second (allowed: {RATES[0]} to {RATES[1]})")
    for name in asked:
        if name not in FRONT:
            raise Refusal(f"data: front end: no {name!r}{nearest(name, tuple(FRONT))}")
    given = {**FRONT, **asked}
    window, hop, mels = 2 * round(given["window"] * rate / 2), round(given["hop"] * rate), int(given["mels"])
    if not 1 <= mels <= MOST_MELS:
        raise Refusal(f"data: front end: {mels} mel bands (allowed: 1 to {MOST_MELS})")
    if not 1 <= hop <= window or window > rate:
        text = f"windows of {given['window']:g} s every {given['hop']:g} s"
        raise Refusal(f"data: front end: {text} (allowed: a hop of at least a sample, at most a window; a window of at most 1 s)")
    empty = np.flatnonzero(mel_filters(rate, window, mels).sum(axis=0) == 0)
    if len(empty):
        text = f"frequencies are {rate / window:g} Hz apart, and none is in band {empty[0] + 1} of {mels}"
        raise Refusal(f"data: front end: {text}; take fewer mels or a longer window")
    return {"rate": int(rate), "mels": mels, "window": window, "hop": hop}


def _parts(audio: np.ndarray) -> Any:
    """(first row, rows) in portions that fit in memory."""
    return ((start, audio[start : start + ROWS]) for start in range(0, len(audio), ROWS))
