"""Texts as arrays that the store can hold: all of them as one run of UTF-8 bytes, and where each one ends."""

from __future__ import annotations

import numpy as np

from kdbench.store import Draft, Entry

ENDING = ".utf8.npy"
"""What the name of a file of texts ends with."""


def is_text(value: np.ndarray) -> bool:
    """Whether an array holds texts of any length: an object array of str."""
    return value.dtype == object


def write(draft: Draft, name: str, value: np.ndarray) -> None:
    """Write an object array of str (n, ...) as `<name>.utf8.npy` and `<name>.ends.npy`."""
    data = [text.encode() for text in value.ravel()]
    ends = np.cumsum([len(part) for part in data], dtype=np.int64) if data else np.zeros(0, np.int64)
    draft.array(f"{name}{ENDING}", np.frombuffer(b"".join(data), np.uint8))
    draft.array(f"{name}.ends.npy", ends.reshape(value.shape))


def read(entry: Entry, name: str) -> np.ndarray:
    """What `write` wrote: an object array of str."""
    data, ends = entry.array(f"{name}{ENDING}").tobytes(), entry.array(f"{name}.ends.npy")
    made = np.empty(ends.size, object)
    start = 0
    for i, end in enumerate(ends.ravel().tolist()):
        made[i] = data[start:end].decode()
        start = end
    return made.reshape(ends.shape)


def column(texts: list[str]) -> np.ndarray:
    """An object array (n,) of texts; numpy by itself would make one of fixed width."""
    made = np.empty(len(texts), object)
    made[:] = texts
    return made
