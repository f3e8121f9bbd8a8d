"""Prediction files brought into the store, as the stages data and predict would write them, and planned like any suite."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import kdbench
from kdbench.nouns import Cell, Contender, Data, Job, Json, Load, Plan, Refusal, Suite, Task, Use, canonical, group_file
from kdbench.predictions import settings
from kdbench.predictions.doubts import doubts
from kdbench.predictions.join import Answers, Joined
from kdbench.predictions.table import Table
from kdbench.registry import nearest
from kdbench.store import Damaged, Draft, Missing, Store

TARGET = "files"
"""The target of predictions that do not say where the model ran."""
GIVEN = "predictions"
"""What stands for the dataset of a suite that was made from prediction files."""
CLASS = "class"
"""The group column that every task has: the label."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be judged. tables: contender -> its file, the teacher's as "teacher"; name: of the task and of the suite;
    groups: the group columns to judge, intersections as "a*b" (None: each that there is); settings: fields of the suite.
    """

    tables: Mapping[str, Table]
    name: str
    target: str = TARGET
    positive: str = ""
    groups: tuple[str, ...] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Files that fit together. suite: what they ask, without axes; answers: of every contender on every set; notes: what a
    reader of the results must mind.
    """

    suite: Suite
    joined: Joined
    answers: tuple[Answers, ...]
    notes: tuple[str, ...]
    source: str


def prepare(question: Question) -> Prepared:
    """Join the files. Raises Refusal where they do not fit together; nothing is written."""
    settings.check(question.tables)
    joined = Joined(question.tables, question.positive)
    suite = _suite(question, _groups(question, joined))
    answers, notes = tuple(joined.answers()), joined.notes()
    for one in answers:
        if one.where.examples == ("test", "") and not one.where.shift:
            notes += doubts(one, joined.classes)
    source = f"prediction files ({', '.join(sorted(t.path.name for t in question.tables.values()))[:300]})"
    return Prepared(suite, joined, answers, tuple(dict.fromkeys(notes)), source)


def bring(prepared: Prepared, store: Store) -> Plan:
    """Write what the store lacks of the files, and plan it.

    The key is the hash of the content and not of the file, so that what was judged before is not judged again.
    """
    (task,), (target,), joined = prepared.suite.tasks, prepared.suite.targets, prepared.joined
    meta = _meta(joined, prepared.notes)
    content = _content({**_arrays(joined), "meta": meta})
    data = Job("data", {"made": "elsewhere"}, content=content, label=f"{task.name}: samples of prediction files")
    _ensure(store, data, lambda draft: _write_data(draft, joined, {**meta, "source": prepared.source, "content": content}))
    jobs, cells = [data], []
    for one in prepared.answers:
        jobs.append(_predicted(one, data, store))
        at, key = one.where, jobs[-1].key
        cells.append(Cell(task.name, one.contender, at.seed, target.name, "predictions", key, at.split, at.shift, at.severity))
    return Plan(tuple({job.key: job for job in jobs}.values()), tuple(cells))


def _groups(question: Question, joined: Joined) -> tuple[str, ...]:
    """The columns to judge by. Raises Refusal for one that no file has."""
    if question.groups is None:
        return tuple(joined.groups)
    known = (*joined.groups, *(() if joined.regression else (CLASS,)))
    for part in (part for column in question.groups for part in column.split("*")):
        if part not in known:
            raise Refusal(f"--groups: no group column {part!r}{nearest(part, known)}")
    return question.groups


def _suite(question: Question, groups: tuple[str, ...]) -> Suite:
    made = {name: Contender(name, (Load(table.path.name),)) for name, table in question.tables.items()}
    students = tuple(one for name, one in made.items() if name != "teacher")
    task = Task(
        question.name, Data(Use(GIVEN), validation=0.0, groups=groups), made.get("teacher", Contender("teacher", ())), students
    )
    seeds = tuple(sorted({where.seed for table in question.tables.values() for where in table.sets}))
    return Suite(question.name, seeds, (task,), (Use(question.target),), (), **question.settings)


def _meta(joined: Joined, notes: Sequence[str]) -> dict[str, Any]:
    levels = {column: np.unique(text, return_counts=True) for column, text in joined.groups.items()}
    return {
        "kind": "predictions",
        "classes": list(joined.classes),
        "positive": joined.positive,
        "groups": {c: dict(zip(map(str, names_), map(int, counts), strict=True)) for c, (names_, counts) in levels.items()},
        "clustered": joined.cluster is not None,
        "n": {"train": 0, "validation": joined.count("validation"), "test": len(joined.ids)},
        "licence": "not stated",
        "notes": list(notes),
    }


def _arrays(joined: Joined) -> dict[str, np.ndarray]:
    """The arrays of the samples entry: the test rows."""
    arrays = {"ids.npy": joined.ids, "y.npy": joined.label, "split.npy": np.full(len(joined.ids), 2, np.int8)}
    arrays |= {group_file(column): text for column, text in joined.groups.items()}
    return arrays if joined.cluster is None else {**arrays, "cluster.npy": joined.cluster}


def _write_data(draft: Draft, joined: Joined, meta: Mapping[str, Any]) -> None:
    for name, array in _arrays(joined).items():
        draft.array(name, array)
    draft.json("meta.json", meta)


def _predicted(one: Answers, data: Job, store: Store) -> Job:
    """The job of one set of answers, whose entry the store then has."""
    arrays = {"ids": one.ids, "label": one.label, "logits": one.logits, "pred": one.pred}
    if one.probability is not None:
        arrays["probability"] = one.probability
    facts = {"n": len(one.ids), "split": one.where.split, "kind": one.kind}
    label = f"predictions of {one.contender}, {one.where}"
    job = Job("predict", {"made": "elsewhere"}, {"data": data.key}, content=_content({**arrays, "facts": facts}), label=label)

    def write(draft: Draft) -> None:
        draft.arrays("predictions.npz", arrays)
        draft.json("predictions.json", {**facts, "target": {"name": TARGET, "params": {}, "facts": {"made": "elsewhere"}}})

    _ensure(store, job, write)
    return job


def _ensure(store: Store, job: Job, write: Callable[[Draft], None]) -> None:
    """The entry of a job is in the store, whole: as it was, or written now."""
    try:
        store.open(job.key)
    except (Missing, Damaged) as found:
        if isinstance(found, Damaged):
            store.drop(job.key)
        made: dict[str, Json] = {"versions": {"kdbench": kdbench.__version__, "numpy": np.__version__}}
        with store.write(job, made) as draft:
            write(draft)


def _content(parts: Mapping[str, Any]) -> str:
    """The sha256 of arrays (their types, shapes and bytes; text by its characters, not by the width of its array) and records."""
    seen = hashlib.sha256()
    for name, value in sorted(parts.items()):
        if isinstance(value, np.ndarray):
            seen.update(canonical([name, value.dtype.kind, value.dtype.itemsize, list(value.shape)]).encode())
            seen.update(np.ascontiguousarray(value).data)
        else:
            seen.update(canonical([name, value]).encode())
    return seen.hexdigest()
