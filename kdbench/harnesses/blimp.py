"""BLiMP: which of two sentences is grammatical, by their likelihoods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench import Refusal, Whole, harness

from ._documents import field, interleaved, mean_of, read, task

FILE = "lm/blimp/test.parquet"


@harness(files=("lm/blimp/test.parquet",), groups=("field", "linguistics_term", "uid"), metrics=("acc",))
def blimp(root: Path | None, *, limit: Whole = 0, delimiter: str = "", paradigms: list[str] | None = None) -> dict[str, Any]:
    """67 paradigms of 1,000 minimal pairs (Warstadt et al. 2020); `acc` is the share of pairs whose grammatical sentence is the
    likelier one, by the sum of its log-probabilities.

    delimiter: what lm-eval puts before a sentence. Its own task has " ", so that the model is asked about a sentence that begins
    with a space; here it is "". paradigms: their uids, by default all. The pairs come in turns, one of each paradigm, so that a
    limit keeps them all (lm-eval asks one paradigm after the other; their mean over paradigms is the mean over pairs where each
    has as many). Groups: field, linguistics_term, uid. Pairs are taken as independent within the given paradigms.
    """
    rows = read(root, FILE)
    field(rows, ("sentence_good", "sentence_bad", "field", "linguistics_term", "uid", "pair_id"), FILE)
    known = {row["uid"] for row in rows}
    for name in paradigms or ():
        if name not in known:
            raise Refusal(f"blimp: no paradigm {name[:60]!r} (allowed: {', '.join(sorted(known)[:5])}, ...)")
    kept = [row for row in rows if not paradigms or row["uid"] in paradigms]
    for row in kept:
        row["id"] = f"{row['uid']}/{row['pair_id']}"
        row["field"] = row["field"].replace("/", "_")  # one paradigm of the file writes syntax/semantics
    return task(
        "blimp",
        interleaved(kept, "uid"),
        limit,
        {"groups": ["field", "linguistics_term", "uid"], "id": "id", "classes": ["grammatical", "ungrammatical"]},
        output_type="multiple_choice",
        doc_to_text=lambda _: "",
        doc_to_target=lambda _: 0,
        doc_to_choice=lambda doc: [doc["sentence_good"], doc["sentence_bad"]],
        target_delimiter=delimiter,
        num_fewshot=0,
        metric_list=mean_of("acc"),
    )
