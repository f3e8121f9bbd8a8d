"""Emotional speech of ten actors: what is felt, not what is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Count, Positive, Refusal, Samples, dataset
from kdbench.datasets._cells import bands
from kdbench.datasets._clips import codes, padded, read_clips
from kdbench.datasets._sheet import read_sheet

FILE = "speech/emodb_subset/all.parquet"
EMOTIONS = ("Angry", "Happy", "Neutral", "Sad")
RATE = 8000


@dataset(
    kind="audio",
    files=("speech/emodb_subset/all.parquet",),
    licence="MIT (repository); Berlin EmoDB",
    groups=("speaker", "gender", "age"),
)
def emodb(
    root: Path | None, *, seconds: Positive = 3.0, test_speakers: list[str] | None = None, mels: Count = 40,
    window_ms: Positive = 25.0, hop_ms: Positive = 10.0,
) -> Samples:  # fmt: skip
    """Four emotions in 339 clips of ten German actors and ten sentences (Burkhardt et al. 2005), 8 kHz, out of mu-law.

    No split is published. test_speakers: whose clips are the test split; left out, 09, 10, 12 and 13 (two women, two men: 109
    clips), so that a test voice was never heard. Cluster: the speaker, whose clips are alike.
    seconds: length of a row; 65 % of the clips are shorter than 3 s, the others lose their end.
    mels, window_ms, hop_ms: the log-mel spectrogram that models see.
    Groups: speaker; gender; age in bands (under 30, 30 and over; from 21 to 35).
    """
    sheet = read_sheet(root, FILE, ("file", "emotion", "speaker", "gender", "age"))
    speaker = np.array(sheet.columns["speaker"])
    tested = list(test_speakers or ("09", "10", "12", "13"))
    if unknown := [name for name in tested if name not in speaker]:
        raise Refusal(f"emodb: test_speakers: no {unknown[0]!r} (allowed: some of {', '.join(sorted(set(speaker.tolist())))})")
    audio, cut = padded([from_mu_law(clip) for clip in read_clips(root, FILE, "mulaw8k")], round(seconds * RATE))
    return Samples(
        "audio",
        {"audio": audio},
        codes(sheet, "emotion", EMOTIONS),
        np.array([name.removesuffix(".wav") for name in sheet.columns["file"]]),
        EMOTIONS,
        "MIT (repository); Berlin EmoDB",
        "hkveeranki/speech-emotion-recognition, a subset of the Berlin database of emotional speech",
        {
            "speaker": speaker,
            "gender": np.array(sheet.columns["gender"]),
            "age": bands(np.array(sheet.columns["age"], np.int64), (30,)),
        },
        np.where(np.isin(speaker, tested), "test", "train"),
        speaker,
        notes=(f"clips start with their row: {cut} of {sheet.rows} are longer than {seconds:g} s and lose their end",),
        rate=RATE,
        front={"mels": mels, "window": window_ms / 1000, "hop": hop_ms / 1000},
    )


def from_mu_law(code: np.ndarray) -> np.ndarray:
    """uint8 codes -> int16: y = 2 q / 255 - 1, x = sign(y) (256^|y| - 1) / 255, mu = 255; 32767 x, rounded."""
    y = 2 * code.astype(np.float64) / 255 - 1
    return np.asarray(np.rint(32767 * np.sign(y) * (np.power(256.0, np.abs(y)) - 1) / 255), np.int16)
