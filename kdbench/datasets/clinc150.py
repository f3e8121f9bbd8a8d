"""CLINC150: what a user of an assistant wants, in 150 intents."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._text import read_parts


@dataset(
    kind="text",
    files=("text/clinc150/train.parquet", "text/clinc150/val.parquet", "text/clinc150/test.parquet"),
    licence="CC BY 3.0",
)
def clinc150(root: Path | None) -> Samples:
    """Which of 150 intents has a query? Official split 15,000 / 3,000 / 4,500, 100 / 20 / 30 of each (Larson et al. 2019).

    Only queries in scope; `ood: [clinc150_oos]` asks whether a model notices those that are not. Classes in the order of the
    alphabet. Two test queries are in train, too: they leave train.
    """
    files = {"train": "train", "validation": "val", "test": "test"}
    columns = ("text", "intent", "is_oos")
    parts = read_parts(root, {s: f"text/clinc150/{f}.parquet" for s, f in files.items()}, columns)
    ids = parts.ids()[np.array(parts.column("is_oos")) == "false"]
    parts = parts.where(lambda sheet, row: sheet.columns["is_oos"][row] == "false")
    classes = tuple(sorted(set(parts.column("intent"))))
    y, licence = parts.labels("intent", classes), "CC BY 3.0"
    x = {"text": parts.texts("text")}
    return Samples("text", x, y, ids, classes, licence, "CLINC150 (data_full), in scope", split=parts.split())
