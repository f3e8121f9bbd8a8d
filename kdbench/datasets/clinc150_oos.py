"""The queries of CLINC150 that belong to none of its 150 intents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._text import documents, read_parts


@dataset(
    kind="text",
    files=("text/clinc150/train.parquet", "text/clinc150/val.parquet", "text/clinc150/test.parquet"),
    licence="CC BY 3.0",
    answer="next",
)
def clinc150_oos(root: Path | None) -> Samples:
    """Out-of-scope queries, official split 100 / 100 / 1,000 (Larson et al. 2019): for `ood: [clinc150_oos]` beside `clinc150`.

    Their test rows are what a detector must find. They have no class of their own, so the set is declared as free text.
    """
    files = {"train": "train", "validation": "val", "test": "test"}
    columns = ("text", "intent", "is_oos")
    parts = read_parts(root, {s: f"text/clinc150/{f}.parquet" for s, f in files.items()}, columns)
    ids = parts.ids()[np.array(parts.column("is_oos")) == "true"]
    parts = parts.where(lambda sheet, row: sheet.columns["is_oos"][row] == "true")
    found = documents(parts.column("text"), ids, parts.split(), "CC BY 3.0", "CLINC150 (data_full), out of scope")
    return replace(found, alike=True, notes=("short queries of different people may be equal: they are counted, not removed",))
