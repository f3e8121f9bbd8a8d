"""Tiny Shakespeare: one megabyte of plays, the smallest text on which language models are commonly trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Count, Samples, dataset
from kdbench.datasets._files import in_folder
from kdbench.datasets._sheet import decode
from kdbench.datasets._text import MOST_TEXT, documents

TRAIN_SHARE = 0.9


@dataset(kind="text", files=("lm/tiny_shakespeare/input.txt",), licence="public domain", answer="next")
def tiny_shakespeare(root: Path | None, *, passage: Count = 4000) -> Samples:
    """1,115,394 characters; the first 90 % are train, the rest is test (Karpathy 2015); validation is drawn from train.

    passage: the plays are cut into documents of about so many characters, each up to the next blank line between speeches, so
    that validation can be drawn and that there is more than one document to resample. Joined, they are the file, byte for byte.
    """
    text = decode(in_folder(root, "lm/tiny_shakespeare/input.txt", 2**24), MOST_TEXT)
    cut = int(TRAIN_SHARE * len(text))
    train, test = passages(text[:cut], passage), passages(text[cut:], passage)
    ids = np.array([f"train-{i:04d}" for i in range(len(train))] + [f"test-{i:04d}" for i in range(len(test))])
    split = np.repeat(["train", "test"], [len(train), len(test)])
    return documents([*train, *test], ids, split, "public domain", "Tiny Shakespeare, first 90 % train")


def passages(text: str, length: int) -> list[str]:
    """Pieces of `length` characters or a little more, cut after blank lines; joined, they are the text."""
    pieces, start = [], 0
    while start < len(text):
        end = text.find("\n\n", start + length - 2)
        end = len(text) if end < 0 else end + 2
        pieces.append(text[start:end])
        start = end
    return pieces
