"""The inputs of a task as columns with names that people know, in original units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kdbench.judge.evidence import Examples
from kdbench.store import Entry

TOKENS = 200
"""The most frequent tokens whose presence is looked at."""
CHUNK = 4096
"""Images whose statistics are taken at once."""
UNSEEN = "(never seen in train)"


def inputs(data: Entry, about: Examples, min_group: int) -> dict[str, np.ndarray]:
    """Columns (n,) of the test rows of a samples entry: numbers in their own units (missing ones hold the median of train, as
    models saw them), levels as text, group columns, statistics of images, and the presence of tokens as bool.
    """
    meta = data.json("meta.json")
    test = np.asarray(data.array("split.npy")) == 2
    found: dict[str, np.ndarray] = {}
    there = set(data.names())
    readers = {"image": _image, "numeric": _numeric, "categorical": _categorical, "tokens": _tokens, "audio": _audio}
    for kind, reader in readers.items():
        if f"x.{kind}.npy" in there:
            for name, column in reader(np.asarray(data.array(f"x.{kind}.npy")[test]), meta, min_group):
                found.setdefault(name, column)
    for name, (levels, codes) in about.groups.items():
        if found and "*" not in name and name != "class":
            found.setdefault(name, np.array(levels, dtype=str)[codes])
    return found


Named = Iterator[tuple[str, np.ndarray]]


def _numeric(x: np.ndarray, meta: Mapping[str, Any], _: int) -> Named:
    names = list(meta.get("columns", {}).get("numeric", ()))
    for j, column in enumerate(x.reshape(len(x), -1).T):
        yield (names[j] if j < len(names) else f"number {j}"), column


def _categorical(x: np.ndarray, meta: Mapping[str, Any], _: int) -> Named:
    names = list(meta.get("columns", {}).get("categorical", ()))
    known = list(meta.get("prepare", {}).get("categorical", ()))
    for j, column in enumerate(x.reshape(len(x), -1).T):
        most = int(column.max(initial=0))
        levels = [UNSEEN, *map(str, known[j] if j < len(known) else range(1, most + 1))]
        yield (names[j] if j < len(names) else f"category {j}"), np.array(levels, dtype=str)[column]


def _image(x: np.ndarray, _: Mapping[str, Any], __: int) -> Named:
    """Of pixels in 0..1: the mean, the standard deviation, and the mean absolute step to the next pixel, right and down."""
    parts = [_statistics(x[start : start + CHUNK]) for start in range(0, len(x), CHUNK)]
    whole = np.concatenate(parts, axis=1) if parts else np.empty((3, 0))
    yield from zip(("brightness", "contrast", "edges"), whole, strict=True)


def _statistics(x: np.ndarray) -> np.ndarray:
    pixels = x.astype(np.float32) / 255
    over = (1, 2, 3)
    down, right = (np.abs(np.diff(pixels, axis=a)).mean(axis=over) if pixels.shape[a] > 1 else 0.0 for a in (2, 3))
    return np.stack([pixels.mean(axis=over), pixels.std(axis=over), down + right + np.zeros(len(x))])


def _audio(x: np.ndarray, meta: Mapping[str, Any], _: int) -> Named:
    """Of clips: seconds up to the last sample that is not zero, and the loudness up to there, in dB of full scale (RMS)."""
    clips = x.astype(np.float64) / 32768
    length = x.shape[1] - (x[:, ::-1] != 0).argmax(axis=1)
    length = np.where((x == 0).all(axis=1), 0, length)
    power = (clips**2).sum(axis=1) / np.maximum(length, 1)
    yield "seconds", length / float(meta["prepare"]["audio"]["rate"])
    yield "loudness", 10 * np.log10(np.maximum(power, 1e-10))


def _tokens(x: np.ndarray, meta: Mapping[str, Any], min_group: int) -> Named:
    """The presence of each of the TOKENS tokens that most examples hold, of those that some hold and some do not."""
    flat = x.reshape(len(x), -1).astype(np.int64)
    base = int(flat.max(initial=0)) + 1
    pairs = np.unique(np.arange(len(flat))[:, None] * base + flat)
    row, token = pairs // base, pairs % base
    counts = np.bincount(token, minlength=base)
    useful = np.flatnonzero((counts >= 2 * min_group) & (counts <= len(flat) - 2 * min_group))
    words = list(meta.get("vocabulary", ()))
    for one in useful[np.argsort(-counts[useful], kind="stable")][:TOKENS]:
        held = np.zeros(len(flat), dtype=bool)
        held[row[token == one]] = True
        yield (f"has {words[one]!r}" if one < len(words) else f"has token {one}"), held
