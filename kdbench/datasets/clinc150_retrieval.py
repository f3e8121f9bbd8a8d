"""CLINC150 as a collection: queries of one intent are to be found by each other. For encoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._intents import to_retrieve
from kdbench.datasets._text import read_parts


@dataset(
    kind="text",
    files=("text/clinc150/train.parquet", "text/clinc150/val.parquet", "text/clinc150/test.parquet"),
    licence="CC BY 3.0",
    answer="vector",
)
def clinc150_retrieval(root: Path | None) -> Samples:
    """Does a query find the others of its intent? Official split 15,000 / 3,000 / 4,500; 150 intents (Larson et al. 2019).

    Each of the 4,500 test queries asks for the 29 others of its intent among the 4,499 other test queries. In scope only.
    """
    files = {"train": "train", "validation": "val", "test": "test"}
    columns = ("text", "intent", "is_oos")
    parts = read_parts(root, {s: f"text/clinc150/{f}.parquet" for s, f in files.items()}, columns)
    ids = parts.ids()[np.array(parts.column("is_oos")) == "false"]
    parts = parts.where(lambda sheet, row: sheet.columns["is_oos"][row] == "false")
    classes = tuple(sorted(set(parts.column("intent"))))
    x, y, split = {"text": parts.texts("text")}, parts.labels("intent", classes), parts.split()
    return to_retrieve(Samples("text", x, y, ids, classes, "CC BY 3.0", "CLINC150 (data_full), in scope", split=split))
