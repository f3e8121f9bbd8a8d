"""Multiple-choice questions of your own, in the form of ARC."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdbench import Refusal, Whole, harness

from ._documents import mean_of, read, task

LETTERS = "ABCDEFGHIJ"


@harness(files=("{path}",), groups=("*",), metrics=("acc", "acc_norm"))
def arc_style(
    root: Path | None, *, path: str, limit: Whole = 0, groups: list[str] | None = None, cluster: str = ""
) -> dict[str, Any]:
    r"""Questions of a local file, asked as lm-eval's arc_easy: "Question: ...\nAnswer:", delimiter " ", and all choices scored by
    their text. acc_norm divides a log-likelihood by the characters of its choice.

    path: a .jsonl file in ARC's form, {question, choices: {text: [...], label: [...]}, answerKey}, or in that of AI2's own files,
    {question: {stem, choices: [{text, label}]}, answerKey}; or a .csv or .parquet file with the columns question, A, B, C, ...
    and answer, where an empty cell is no choice. groups: columns whose results are compared, where a row without a value is of
    the group (missing); cluster: a column whose rows belong together.
    """
    documents = [_question(row, f"{path}: row {number}") for number, row in enumerate(read(root, path), 1)]
    return task(
        "arc_style",
        documents,
        limit,
        {"groups": groups or [], "cluster": cluster},
        output_type="multiple_choice",
        doc_to_text=lambda doc: f"Question: {doc['question']}\nAnswer:",
        doc_to_target=lambda doc: doc["gold"],
        doc_to_choice=lambda doc: doc["choices"],
        target_delimiter=" ",
        metric_list=mean_of("acc", "acc_norm"),
    )


def _question(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    stem = row.get("question")
    held = stem.get("choices") if isinstance(stem, Mapping) else row.get("choices")
    if isinstance(stem, Mapping):
        stem = stem.get("stem")
    key = str(row.get("answerKey", row.get("answer", ""))).strip()
    if isinstance(held, Mapping):
        text, label = list(held.get("text", ())), [str(one) for one in held.get("label", ())]
    elif isinstance(held, list) and all(isinstance(one, Mapping) for one in held):
        text, label = [one.get("text") for one in held], [str(one.get("label")) for one in held]
    else:
        label = [letter for letter in LETTERS if row.get(letter) not in (None, "")]
        text = [row[letter] for letter in label]
    if not isinstance(stem, str) or len(text) < 2 or len(text) != len(label) or not all(isinstance(t, str) and t for t in text):
        raise Refusal(f"{where}: a question with at least two choices expected (fields question, choices, answerKey)")
    if key not in label:
        raise Refusal(f"{where}: the answer {key[:40]!r} is none of its choices (allowed: {', '.join(label)})")
    return {**row, "question": stem, "choices": text, "gold": label.index(key)}
