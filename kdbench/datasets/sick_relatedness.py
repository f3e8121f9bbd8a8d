"""SICK: how alike in meaning are two sentences? For encoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Refusal, Samples, dataset
from kdbench.datasets._cells import numbers
from kdbench.datasets._sheet import Sheet
from kdbench.datasets._text import read_parts

LEAST, MOST = 1.0, 5.0
"""The ends of the scale of the people who were asked: nothing in common, and the same meaning."""


@dataset(
    kind="text",
    files=("text/sick_nli/train.parquet", "text/sick_nli/trial.parquet", "text/sick_nli/test.parquet"),
    licence="CC BY-NC-SA 3.0",
    answer="vector",
)
def sick_relatedness(root: Path | None) -> Samples:
    """Are the vectors of two sentences as near to each other as people say they are? 4,500 / 500 / 4,927 pairs (Marelli 2014).

    x: pairs (premise, hypothesis); target: relatedness, 1 to 5, the mean of ten people; no label. Official split of SemEval 2014
    task 1. The sentences come from one pool: most stand in several pairs, and 49 test pairs are also in train.
    """
    files = {"train": "train", "validation": "trial", "test": "test"}
    columns = ("pair_id", "premise", "hypothesis", "relatedness_score")
    parts = read_parts(root, {s: f"text/sick_nli/{f}.parquet" for s, f in files.items()}, columns)
    target = np.concatenate([_relatedness(sheet) for sheet in parts.sheets.values()])
    return Samples(
        "text",
        {"text": parts.texts("premise", "hypothesis")},
        np.full(len(target), -1, np.int64),
        np.array(parts.column("pair_id")),
        (),
        "CC BY-NC-SA 3.0",
        "SICK, official split of SemEval 2014 task 1",
        split=parts.split(),
        alike=True,
        notes=("49 test pairs are in train, too, in the official split: kept, as in published numbers",),
        answer="vector",
        target=target,
    )


def _relatedness(sheet: Sheet) -> np.ndarray:
    """Float64 (n,). Raises Refusal with the row for anything but a number from 1 to 5."""
    name = "relatedness_score"
    value = numbers(sheet, (name,))[:, 0].astype(np.float64)
    outside = (value < LEAST) | (value > MOST)
    if outside.any():
        row = int(outside.argmax())
        raise Refusal(f"{sheet.path}: row {row + 1}, column {name!r}: {sheet.columns[name][row][:40]} (allowed: 1 to 5)")
    return np.asarray(np.round(value, 4))  # 4.7 as float32 is 4.699999809
