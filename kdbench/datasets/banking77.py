"""BANKING77: what a customer of a bank wants, in 77 fine intents; also near-OOD for CLINC150."""

from __future__ import annotations

from pathlib import Path

from kdbench import Samples, dataset
from kdbench.datasets._text import read_parts


@dataset(kind="text", files=("text/banking77/train.parquet", "text/banking77/test.parquet"), licence="CC BY 4.0")
def banking77(root: Path | None) -> Samples:
    """Which of 77 intents has a customer's message? Official split 10,003 / 3,080; 40 test messages of each (Casanueva 2020).

    Train is uneven (35 to 187 of an intent). Classes in the order of the alphabet, as in the published label files' names.
    """
    parts = read_parts(root, {s: f"text/banking77/{s}.parquet" for s in ("train", "test")}, ("text", "intent"))
    classes = tuple(sorted(set(parts.column("intent"))))
    x, y = {"text": parts.texts("text")}, parts.labels("intent", classes)
    return Samples("text", x, y, parts.ids(), classes, "CC BY 4.0", "BANKING77, official split", split=parts.split())
