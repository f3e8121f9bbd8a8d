"""PIQA: which of two ways reaches a goal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench import Whole, harness

from ._documents import field, mean_of, read, task, whole

FILE = "lm/piqa_val/val.parquet"


@harness(files=("lm/piqa_val/val.parquet",), metrics=("acc", "acc_norm"))
def piqa(root: Path | None, *, limit: Whole = 0) -> dict[str, Any]:
    r"""1,838 goals with two solutions (Bisk et al. 2020), the validation split, asked as lm-eval's piqa: "Question:
    ...\nAnswer:", delimiter " ". acc_norm divides a log-likelihood by the characters of its solution.
    """
    rows = read(root, FILE)
    field(rows, ("goal", "sol1", "sol2", "label"), FILE)
    for number, row in enumerate(rows, 1):
        row["label"] = whole(row, "label", 2, f"{FILE}: row {number}")
    return task(
        "piqa",
        rows,
        limit,
        {},
        output_type="multiple_choice",
        doc_to_text=lambda doc: f"Question: {doc['goal']}\nAnswer:",
        doc_to_target=lambda doc: doc["label"],
        doc_to_choice=lambda doc: [doc["sol1"], doc["sol2"]],
        target_delimiter=" ",
        metric_list=mean_of("acc", "acc_norm"),
    )
