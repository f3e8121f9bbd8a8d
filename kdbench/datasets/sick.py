"""SICK: what follows from a sentence? Pairs in three classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._text import INFERENCES, read_parts


@dataset(
    kind="text",
    files=("text/sick_nli/train.parquet", "text/sick_nli/trial.parquet", "text/sick_nli/test.parquet"),
    licence="CC BY-NC-SA 3.0",
)
def sick(root: Path | None) -> Samples:
    """Is a second sentence entailed by the first, neutral to it, or contradicted? 4,500 / 500 / 4,927 pairs (Marelli 2014).

    x: pairs (premise, hypothesis); official split of SemEval 2014 task 1. The sentences come from one pool, and 49 test pairs
    are also in train: they were judged twice, by other people and not always alike, so they are kept (`alike`) and counted.
    """
    files = {"train": "train", "validation": "trial", "test": "test"}
    columns = ("pair_id", "premise", "hypothesis", "label")
    parts = read_parts(root, {s: f"text/sick_nli/{f}.parquet" for s, f in files.items()}, columns)
    return Samples(
        "text",
        {"text": parts.texts("premise", "hypothesis")},
        parts.labels("label", [name.upper() for name in INFERENCES]),
        np.array(parts.column("pair_id")),
        INFERENCES,
        "CC BY-NC-SA 3.0",
        "SICK, official split of SemEval 2014 task 1",
        split=parts.split(),
        alike=True,
        notes=("49 test pairs are in train, too, in the official split: kept, as in published numbers",),
    )
