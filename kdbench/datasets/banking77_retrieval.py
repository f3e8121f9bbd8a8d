"""BANKING77 as a collection: messages of one intent are to be found by each other. For encoders."""

from __future__ import annotations

from pathlib import Path

from kdbench import Samples, dataset
from kdbench.datasets._intents import to_retrieve
from kdbench.datasets._text import read_parts


@dataset(
    kind="text",
    files=("text/banking77/train.parquet", "text/banking77/test.parquet"),
    licence="CC BY 4.0",
    answer="vector",
)
def banking77_retrieval(root: Path | None) -> Samples:
    """Does a customer's message find the others of its intent? Official split 10,003 / 3,080; 77 intents (Casanueva 2020).

    Each of the 3,080 test messages asks for the 39 others of its intent among the 3,079 other test messages.
    """
    parts = read_parts(root, {s: f"text/banking77/{s}.parquet" for s in ("train", "test")}, ("text", "intent"))
    classes = tuple(sorted(set(parts.column("intent"))))
    x, y = {"text": parts.texts("text")}, parts.labels("intent", classes)
    return to_retrieve(Samples("text", x, y, parts.ids(), classes, "CC BY 4.0", "BANKING77, official split", split=parts.split()))
