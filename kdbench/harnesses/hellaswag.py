"""HellaSwag: how a described scene goes on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from kdbench import Whole, harness

from ._documents import field, mean_of, read, task, whole

FILE = "lm/hellaswag_val/val.parquet"
ENDINGS = ("ending0", "ending1", "ending2", "ending3")


@harness(files=("lm/hellaswag_val/val.parquet",), groups=("activity",), metrics=("acc", "acc_norm"))
def hellaswag(root: Path | None, *, limit: Whole = 0) -> dict[str, Any]:
    """10,042 scenes with four endings (Zellers et al. 2019), the validation split, asked as lm-eval's hellaswag: delimiter " ",
    and texts cleaned as there (" [title]" becomes ". ", brackets go, two spaces become one).

    acc_norm divides a log-likelihood by the characters of its ending. The file holds the activity and the whole context in one;
    the sentence that is to be gone on with has lost its capital letter, and gets it back here. Group: activity.
    """
    rows = read(root, FILE)
    field(rows, ("context", "label", *ENDINGS), FILE)
    documents = [
        {
            "query": _begun(cleaned(row["context"])),
            "choices": [cleaned(row[name]) for name in ENDINGS],
            "gold": whole(row, "label", len(ENDINGS), f"{FILE}: row {number}"),
            "activity": row["context"].partition(":")[0].strip(),
        }
        for number, row in enumerate(rows, 1)
    ]
    return task(
        "hellaswag",
        documents,
        limit,
        {"groups": ["activity"]},
        output_type="multiple_choice",
        doc_to_text=lambda doc: doc["query"],
        doc_to_target=lambda doc: doc["gold"],
        doc_to_choice=lambda doc: doc["choices"],
        target_delimiter=" ",
        metric_list=mean_of("acc", "acc_norm"),
    )


def cleaned(text: str) -> str:
    """A text without the marks that WikiHow leaves in it, by the same steps in the same order as lm-eval's."""
    bare = re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". "))
    return bare.replace("  ", " ")


def _begun(text: str) -> str:
    """The fragment behind the last sentence, where it begins with a small letter, as lm-eval writes it: capitalised."""
    head, dot, last = text.rpartition(". ")
    return f"{head}{dot}{last.capitalize()}" if dot and last[:1].islower() and len(last.split()) <= FRAGMENT else text


FRAGMENT = 6
"""Words of a fragment at most; what is longer is a sentence."""
