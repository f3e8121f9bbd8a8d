"""Clips as a checkpoint of Whisper hears them: its own bands, windows and scaling, instead of the task's front end.

A clip is followed by silence up to the length that the checkpoint hears (30 seconds), and the log-mels are those of the whole.
What is silent to the end is not stored, nor computed: the network puts it there (see the model `pretrained`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench.nouns import Refusal
from kdbench.stages import sound

KEYS = ("rate", "mels", "window", "hop", "chunk", "scaling")
"""What makes two front ends the same one."""


def heard(audio: np.ndarray, rate: int, front: Mapping[str, Any]) -> np.ndarray:
    """Clips int16 (n, samples) at the rate that a checkpoint hears. rate: of these clips; front: see `speech.front`. Raises
    Refusal for clips longer than it hears.
    """
    there, chunk = int(front["rate"]), int(front["chunk"])
    if rate != there:
        audio = sound.resampled(audio, rate, there)
    if audio.shape[1] > chunk:
        raise Refusal(f"clips of {audio.shape[1] / there:g} s, and the checkpoint hears {chunk / there:g} s")
    return audio


def noted(rate: int, front: Mapping[str, Any]) -> str:
    """What a reader should know of clips of this rate that are heard so."""
    bands = f"{front['mels']} bands, windows of {front['window']} samples every {front['hop']}"
    other = "" if rate == front["rate"] else f", resampled from {rate} to {front['rate']} samples a second"
    return f"heard as the checkpoint of Whisper hears it: {bands}{other}"


def ready(audio: np.ndarray, front: Mapping[str, Any]) -> np.ndarray:
    """int16 (n, samples) -> float32 (n, mels, frames) as Whisper has them: log10 of the power in each band, at most 8 below the
    loudest of the clip, plus 4, over 4. The frames reach to where only silence follows.
    """
    size = _padded(audio.shape[1], front)
    out = np.empty((len(audio), int(front["mels"]), size // int(front["hop"])), np.float32)
    for start in range(0, len(audio), sound.ROWS):
        part = audio[start : start + sound.ROWS]
        bands = sound.log_mel(np.pad(part, ((0, 0), (0, size - part.shape[1]))), front)
        loudest = bands.max(axis=(1, 2), keepdims=True)
        out[start : start + len(part)] = (np.maximum(bands, loudest - 8.0) + 4.0) / 4.0
    return out


def size(samples: int, front: Mapping[str, Any]) -> tuple[int, int]:
    """(mels, frames) of a row."""
    return int(front["mels"]), _padded(samples, front) // int(front["hop"])


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two front ends give the same features."""
    return all(one.get(key) == other.get(key) for key in KEYS)


def _padded(samples: int, front: Mapping[str, Any]) -> int:
    """Samples of a row with so much silence behind it that every window further on is silent, or with all that is heard."""
    hop, window = int(front["hop"]), int(front["window"])
    return min(int(front["chunk"]), -(-(samples + window) // hop) * hop)
