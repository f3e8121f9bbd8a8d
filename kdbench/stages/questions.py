"""Stage `questions`: the documents of a task of lm-eval as examples that have no input of their own: their ids, groups and
answers.

What is asked about them is in the hands of lm-eval; the hash of its prompts is kept, so that no answer to other prompts is taken
for one to these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kdbench.nouns import Job, Refusal
from kdbench.registry import nearest
from kdbench.stages import Place
from kdbench.stages.checks import grouped
from kdbench.stages.harness_task import ANSWERS, Opened, in_json, open_task
from kdbench.stages.quiet import quiet
from kdbench.stages.samples import SPLITS, Rows, write
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: harness {name, params}, limit (documents at most, 0 for all), shots. Writes a samples entry of kind "questions": ids,
    y (the right choice, -1 where there is none or more than one), groups, cluster; every row is of the test split.
    """
    del inputs
    spec: Mapping[str, Any] = job.spec
    with quiet():
        one = open_task(place, spec["harness"], int(spec["limit"]), int(spec["shots"]))
        choices, right = answers(one)
        config = in_json(one.task.config)
    about, n = one.about, len(one.documents)
    groups, said = _groups(one, "*" in place.plugins.get("harness", spec["harness"]["name"]).facts.get("groups", ()))
    cluster = _field(one.documents, about.cluster) if about.cluster else None
    ids = _field(one.documents, about.id) if about.id else np.array([str(i) for i in range(n)])
    if len(set(ids.tolist())) < n:
        raise Refusal(f"{one.name}: the field {about.id!r} is not the same once only; ids must tell documents apart")
    most = max(choices, default=0)
    names = about.classes if len(about.classes) == most else tuple(f"choice {i}" for i in range(most))
    meta = {
        "kind": "questions",
        "answer": ANSWERS[one.form],
        "classes": names,
        "positive": None,
        "columns": {},
        "levels": [],
        "prepare": {},
        "licence": "",
        "source": f"lm-eval {one.name}",
        "notes": [*notes(one, right, choices), *said],
        "harness": one.settings(),
        "config": config,
        "choices": [min(choices, default=0), most],
        "chance": chance(one.form, [c for c, answer in zip(choices, right, strict=True) if answer >= 0] or choices),
    }
    write(draft, Rows({}, right, ids, groups, cluster), np.full(n, SPLITS.index("test"), np.int8), meta)


def answers(one: Opened) -> tuple[list[int], np.ndarray]:
    """The number of choices of each document, 0 where there are none, and the right one, int64 (n,): -1 where there is none, or
    several.
    """
    n = len(one.documents)
    right = np.full(n, -1, np.int64)
    if one.form != "multiple_choice":
        return [0] * n, right
    choices = []
    for i, document in enumerate(one.documents):
        held = one.task.doc_to_choice(document)
        choices.append(len(held))
        if one.about.right:
            gold = one.task.doc_to_text(document) if one.task.multiple_input else one.task.doc_to_target(document)
            right[i] = _index(gold, held)
    return choices, right


def chance(form: str, choices: Sequence[int]) -> float | None:
    """The expected accuracy of guessing, the mean of 1 / choices; None where nothing is chosen. choices: of the questions that
    have a single right one, where any has.
    """
    return float(np.mean([1 / count for count in choices])) if form == "multiple_choice" else None


def notes(one: Opened, right: np.ndarray, choices: Sequence[int]) -> list[str]:
    """What a reader should know of the questions."""
    said = []
    if one.form == "multiple_choice" and not one.about.right:
        said.append("no choice is the right one: accuracy means nothing here")
    elif one.form == "multiple_choice" and (right < 0).any():
        said.append(f"{int((right < 0).sum())} of {len(right)} questions have no single right choice")
    if len(set(choices)) > 1:
        said.append(f"{min(choices)} to {max(choices)} choices; those that a question does not have are never likely")
    if len(right) > 1 and right[0] >= 0 and (right == right[0]).all() and not one.about.classes:
        said.append(
            f"the right choice of all {len(right)} questions is the same, number {right[0] + 1}: who always takes it is right"
        )
    if one.limit and one.limit <= len(one.documents):
        said.append(f"the first {one.limit} documents only")
    return said


def _index(gold: Any, choices: Sequence[str]) -> int:
    if isinstance(gold, list):
        return _index(gold[0], choices) if len(gold) == 1 else -1
    if isinstance(gold, str):
        return choices.index(gold) if gold in choices else -1
    return int(gold) if isinstance(gold, int | np.integer) and 0 <= int(gold) < len(choices) else -1


def _groups(one: Opened, named: bool) -> tuple[dict[str, np.ndarray], list[str]]:
    """The group columns, and notes. named: the user named them, so they may be ids, numbers in no bins, or misspelt."""
    groups = {name: _field(one.documents, name, "") for name in one.about.groups}
    return grouped(groups, one.about.groups, len(one.documents)) if named else (groups, [])


def _field(documents: Sequence[Mapping[str, Any]], name: str, nothing: str | None = None) -> np.ndarray:
    """A field of all documents, as text (n,). nothing: what stands for a document's missing value; None: that is refused, as a
    document without the field is.
    """
    found = []
    for number, document in enumerate(documents, 1):
        if name not in document:
            raise Refusal(f"document {number} has no field {name!r}{nearest(name, tuple(map(str, document)))}")
        value = document[name]
        nan = isinstance(value, float) and value != value  # it stands where a column of numbers has no value
        lost = value is None or nan or not str(value).strip()
        if lost and nothing is None:
            raise Refusal(f"document {number} has no value in the field {name!r} (allowed: a text or a number in every document)")
        found.append(str(nothing) if lost else str(value).encode("utf-8", "replace").decode())
    return np.array(found)
