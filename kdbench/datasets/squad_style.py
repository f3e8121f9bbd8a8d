"""Your own questions about texts, in the form of SQuAD."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kdbench import Refusal, Samples, dataset
from kdbench.datasets._asked import asked, filled, said
from kdbench.datasets._records import read_records, text
from kdbench.datasets._sources import column, references
from kdbench.datasets._text import numbered

ASKED = re.compile(r"\b(what|whom?|whose|when|where|which|why|how)\b", re.IGNORECASE)
TYPES = {"whom": "who", "whose": "who"}


@dataset(kind="text", files=("{path}",), groups=("question_type",), answer="text")
def squad_style(  # noqa: PLR0913 - each is a key that the user may set
    root: Path | None,
    *,
    path: str,
    context: str = "context",
    question: str = "question",
    answers: str = "answers",
    prompt: str = "question: {question} context: {context}",
    licence: str = "not stated",
) -> Samples:
    """Questions about a passage, answered by a part of it (Rajpurkar et al. 2016), from a file in the data folder or absolute.

    A .json file as distributed (data, paragraphs, qas), or rows of a .json, .jsonl, .csv or .parquet file with these columns.
    answers: a text, a list of texts, or {"text": [...]}, also as JSON in a CSV cell; none: the question has no answer, and the
    reference is empty. The first answer is taught, the best one counts. prompt: what the model reads; it is noted with the data.
    Groups: question_type, the first of what, who (whom, whose), when, where, which, why, how in the question, else other.
    Questions about one passage are a cluster. kdbench draws the split.
    """
    where, rows = read_records(root, path)
    flat = _flat(where, rows) if "paragraphs" in rows[0] else rows
    columns = {"context": context, "question": question}
    fields = []
    for number, row in enumerate(flat, 1):
        if lost := [name for name in (context, question, answers) if name not in row]:
            raise Refusal(f"{where}: row {number}: no {lost[0]!r} (it has: {', '.join(map(repr, list(row)[:20]))})")
        fields.append({name: text(where, number, row, key) for name, key in columns.items()})
    targets = [_answers(where, i, answers, row[answers]) for i, row in enumerate(flat, 1)]
    named = all(row.get("id") not in (None, "") for row in flat)
    ids = column(where, flat, "id") if named else np.array([str(i + 1) for i in range(len(flat))])
    none = sum(not target for target in targets)
    notes = (said(prompt), *((f"{none} of {len(targets)} questions have no answer",) if none else ()))
    return replace(
        asked(filled(prompt, fields), targets, ids, licence, path),
        groups={"question_type": np.array([_type(row["question"]) for row in fields])},
        cluster=numbered([row["context"] for row in fields]),
        notes=notes,
    )


def _flat(path: Path, articles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a question of SQuAD's nested form."""
    try:
        return [
            {**qa, "context": part["context"], "answers": [a["text"] for a in qa["answers"]]}
            for article in articles
            for part in article["paragraphs"]
            for qa in part["qas"]
        ]
    except (KeyError, TypeError) as error:
        raise Refusal(f"{path}: not in the form of SQuAD (data, paragraphs, qas, answers): {str(error)[:80]}") from None


def _answers(path: Path, number: int, key: str, value: Any) -> str:
    if isinstance(value, str) and value[:1] in "[{" and value:
        with suppress(ValueError, RecursionError):  # else a text that begins with a bracket
            value = json.loads(value)
    if isinstance(value, dict) and "text" in value:
        value = value["text"]
    if value is None or value == []:
        return ""
    return references(path, number, key, value)


def _type(question: str) -> str:
    found = ASKED.search(question)
    word = found[1].lower() if found else "other"
    return TYPES.get(word, word)
