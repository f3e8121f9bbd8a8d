"""Spoken digits of six speakers, with their accents."""

from __future__ import annotations

from pathlib import Path

from kdbench import Count, Positive, Samples, dataset
from kdbench.datasets._spoken_digits import LICENCE, RATE, SOURCE, read_digits


@dataset(
    kind="audio",
    files=("speech/fsdd/train.parquet", "speech/fsdd/test.parquet"),
    licence="CC BY-SA 4.0",
    groups=("speaker", "accent"),
)
def fsdd(
    root: Path | None, *, seconds: Positive = 1.0, leave_out: str = "", mels: Count = 40, window_ms: Positive = 25.0,
    hop_ms: Positive = 10.0,
) -> Samples:  # fmt: skip
    """Which digit is said? 3000 recordings at 8 kHz: 6 men, 4 accents, 10 digits, 50 takes each (Jackson et al., FSDD).

    Official split: takes 0-4 are test (300), the others train (2700), of which validation is taken. seconds: length of a row;
    99.3 % of the clips are shorter than 1 s. leave_out: a speaker ("theo") or an accent ("DEU/German"): his recordings, or
    theirs, are the test split and all others train, a shift to a voice that was never heard.
    mels, window_ms, hop_ms: the log-mel spectrogram that models see, the same for all contenders.
    Groups: speaker; accent (two speakers each for USA/neutral and DEU/German, one each for BEL/French and GRC/Greek).
    """
    held = read_digits(root, seconds, leave_out)
    return Samples(
        "audio",
        {"audio": held.audio},
        held.digit,
        held.ids,
        tuple("0123456789"),
        LICENCE,
        SOURCE,
        {"speaker": held.speaker, "accent": held.accent},
        held.split,
        notes=held.notes,
        rate=RATE,
        front={"mels": mels, "window": window_ms / 1000, "hop": hop_ms / 1000},
    )
