"""Spoken digits, to be written down: the same recordings as `fsdd`, with the word as the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Count, Positive, Samples, dataset
from kdbench.datasets._spoken_digits import LICENCE, RATE, SOURCE, WORDS, read_digits


@dataset(
    kind="audio",
    files=("speech/fsdd/train.parquet", "speech/fsdd/test.parquet"),
    licence="CC BY-SA 4.0",
    groups=("speaker", "accent"),
    answer="text",
)
def fsdd_words(
    root: Path | None, *, seconds: Positive = 1.0, leave_out: str = "", mels: Count = 40, window_ms: Positive = 25.0,
    hop_ms: Positive = 10.0,
) -> Samples:  # fmt: skip
    """What is said? The recordings, splits, parameters and groups of `fsdd`; the answer is the text "zero" to "nine".

    Labels (the digit) stay beside the references, so that splits are drawn by digit.
    """
    held = read_digits(root, seconds, leave_out)
    return Samples(
        "audio",
        {"audio": held.audio},
        held.digit,
        held.ids,
        WORDS,
        LICENCE,
        SOURCE,
        {"speaker": held.speaker, "accent": held.accent},
        held.split,
        notes=held.notes,
        answer="text",
        target=np.array([WORDS[i] for i in held.digit], dtype=object),
        rate=RATE,
        front={"mels": mels, "window": window_ms / 1000, "hop": hop_ms / 1000},
    )
