"""The free spoken digit dataset, as both of its forms read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdbench import Refusal
from kdbench.datasets._clips import codes, padded, read_clips
from kdbench.datasets._sheet import Sheet, read_sheet

PARTS = ("train", "test")
RATE = 8000
LICENCE = "CC BY-SA 4.0"
SOURCE = "Jakobovski/free-spoken-digit-dataset, official split (takes 0-4 of each speaker and digit are test)"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SAME_SPEAKERS = "the speakers of test are those of train: nothing is said of other people; leave_out asks that"


@dataclass(frozen=True, slots=True)
class Digits:
    """All recordings. audio int16 (n, samples); digit int64 (n,); ids, speaker, accent, split: text (n,)."""

    audio: np.ndarray
    digit: np.ndarray
    ids: np.ndarray
    speaker: np.ndarray
    accent: np.ndarray
    split: np.ndarray
    notes: tuple[str, ...]


def read_digits(root: Path | None, seconds: float, leave_out: str) -> Digits:
    """Both parts, train first. leave_out: a speaker or an accent whose recordings are the test split, all others train."""
    sheets, audio, cut = [], [], 0
    for part in PARTS:
        name = f"speech/fsdd/{part}.parquet"
        sheet = read_sheet(root, name, ("file", "digit", "speaker", "accent", "sample_rate", "channels"))
        _form(sheet)
        rows, more = padded(read_clips(root, name, "samples"), round(seconds * RATE))
        sheets.append(sheet)
        audio.append(rows)
        cut += more
    speaker, accent = (np.array([v for s in sheets for v in s.columns[c]]) for c in ("speaker", "accent"))
    split = np.repeat(PARTS, [s.rows for s in sheets])
    notes = [f"clips start with their row: {cut} of {len(split)} are longer than {seconds:g} s and lose their end; zeros follow"]
    if leave_out:
        split, note = _left_out(leave_out, speaker, accent)
        notes.append(note)
    else:
        notes.append(SAME_SPEAKERS)
    digit = np.concatenate([codes(s, "digit", [str(i) for i in range(10)]) for s in sheets])
    ids = np.array([v.removesuffix(".wav") for s in sheets for v in s.columns["file"]])
    return Digits(np.concatenate(audio), digit, ids, speaker, accent, split, tuple(notes))


def _left_out(name: str, speaker: np.ndarray, accent: np.ndarray) -> tuple[np.ndarray, str]:
    speakers, accents = sorted(set(speaker.tolist())), sorted(set(accent.tolist()))
    if name not in (*speakers, *accents):
        raise Refusal(f"fsdd: leave_out: no {name[:60]!r} (allowed: {', '.join(speakers)}; or {', '.join(accents)})")
    out = (speaker == name) | (accent == name)
    what = "accent" if name in accents else "speaker"
    return np.where(out, "test", "train"), f"test is the {what} {name}, whom train never hears; the official split is not used"


def _form(sheet: Sheet) -> None:
    wanted: Sequence[tuple[str, str]] = (("sample_rate", str(RATE)), ("channels", "1"))
    for column, value in wanted:
        for row, cell in enumerate(sheet.columns[column], 1):
            if cell != value:
                raise Refusal(f"{sheet.path}: row {row}, column {column!r}: {cell[:20]!r}; {value} expected")
