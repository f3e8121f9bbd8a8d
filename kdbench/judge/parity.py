"""Recipe parity: how the contenders of a task differ in what was spent on them and in how their checkpoint was chosen.

Two differences forbid a common ranking unless the suite says otherwise: another checkpoint rule, and another teacher.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kdbench.judge.rows import OVER_SEEDS
from kdbench.nouns import Contender, Fit, Load, Refusal, Start, Suite, Task
from kdbench.registry import Plugins
from kdbench.suite.chains import asks_teacher

COLUMNS = ("task", "contender", "fact", "value", "usual", "unlike")
NONE, UNKNOWN = "none", "not recorded"
DECIDES = {"checkpoint_rule": "checkpoint rule", "teacher": "teacher"}
"""The facts in which rows of one ranking must be alike, in words."""


def parity(suite: Suite, recipes: pd.DataFrame, scores: pd.DataFrame, plugins: Plugins) -> list[dict[str, Any]]:
    """One row for each task, contender and fact: its value, what is usual among the contenders of the task, and if they differ.

    recipes: the board's long table of what was asked and recorded; scores: for best minus last epoch, where it was judged. usual
    is the value of most contenders that have one; where two are as common, that of the task's teacher, else that of the first.
    """
    rows = []
    known = {(str(r.task), str(r.contender), str(r.key)): str(r.value) for r in recipes.itertuples()}
    beside = _best_minus_last(scores)
    for task in suite.tasks:
        if task.home:
            continue  # its contenders are made, and alike or not, where they are at home
        found = {row.name: _facts(task, row, known, plugins) for row in task.contenders}
        first = {"checkpoint_rule": _rule(task, task.teacher), "teacher": "teacher"}
        names = list(next(iter(found.values()), {}))
        counted = {fact: [of[fact] for of in found.values() if _counts(fact, of[fact])] for fact in names}
        usual = {fact: _usual(values, first.get(fact, "")) for fact, values in counted.items()}
        for name, of in found.items():
            head = {"task": task.name, "contender": name}
            for fact, value in of.items():
                unlike = bool(usual[fact]) and value != usual[fact] and _counts(fact, value)
                rows.append({**head, "fact": fact, "value": value, "usual": usual[fact], "unlike": unlike})
            if (task.name, name) in beside:
                value = beside[task.name, name]
                rows.append({**head, "fact": "best_minus_last", "value": value, "usual": "", "unlike": False})
    return rows


def apart(rows: Sequence[Mapping[str, Any]], suite: Suite) -> dict[tuple[str, str], str]:
    """(task, contender) -> why it is not ranked with the others, at home or elsewhere."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["unlike"] and row["fact"] in DECIDES:
            said = f"{DECIDES[row['fact']]} {row['value']}, of most others {row['usual']}"
            found.setdefault((row["task"], row["contender"]), []).append(said)
    why = {place: f"not ranked: {'; '.join(said)}" for place, said in found.items()}
    away = {(task.name, name): text for task in suite.tasks for (home, name), text in why.items() if task.home == home}
    return {**why, **away}


def _facts(task: Task, row: Contender, known: Mapping[tuple[str, str, str], str], plugins: Plugins) -> dict[str, str]:
    fits = _fits(task, row)
    held = {key: known.get((task.name, row.name, key), UNKNOWN) for key in ("examples_seen", "teacher_passes")}
    first = row.steps[0] if row.steps else None
    start = (
        first.source if isinstance(first, Start) else "a folder" if isinstance(first, Load) else "initial weights from the seed"
    )
    made = _made_elsewhere(task, row)
    nothing = UNKNOWN if made else NONE
    views = [", ".join(v.name for v in fit.train.views) or NONE for fit in fits]
    return {
        "epochs": " + ".join(str(fit.train.epochs) for fit in fits) or nothing,
        "examples": held["examples_seen"],
        "teacher_passes": held["teacher_passes"],
        "tuning_trials": "1 recipe, no tuning recorded",
        "augmentation": " then ".join(dict.fromkeys(views)) or nothing,
        "checkpoint_rule": _rule(task, row) or nothing,
        "teacher": ", ".join(dict.fromkeys(fit.teacher for fit in fits if _taught(fit, plugins))) or nothing,
        "start": start,
    }


def _fits(task: Task, row: Contender) -> list[Fit]:
    """The fits behind a contender, first to last; of one that starts from another contender also those of that one, the teacher's
    excepted: they are the same for all.
    """
    first = row.steps[0] if row.steps else None
    before: list[Fit] = []
    if isinstance(first, Start) and first.source != "teacher":
        source = next((other for other in task.contenders if other.name == first.source), None)
        before = _fits(task, source) if source is not None else []
    return [*before, *(step for step in row.steps if isinstance(step, Fit))]


def _rule(task: Task, row: Contender) -> str:
    """How the checkpoint was chosen: `last`, `best_validation`, or both in their order; "" without a fit."""
    return " then ".join(dict.fromkeys(fit.train.select for fit in _fits(task, row)))


def _made_elsewhere(task: Task, row: Contender) -> bool:
    first = row.steps[0] if row.steps else None
    if isinstance(first, Start):
        source = next((other for other in task.contenders if other.name == first.source), None)
        return source is not None and _made_elsewhere(task, source)
    return isinstance(first, Load)


def _taught(fit: Fit, plugins: Plugins) -> bool:
    """Whether a fit asks for a teacher; of a method that is not installed here, as its suite says."""
    try:
        return asks_teacher(fit, plugins)
    except Refusal:
        return fit.teacher != "teacher"


def _counts(fact: str, value: str) -> bool:
    """Whether a value can be like or unlike others: who has no teacher has no other teacher."""
    return value != UNKNOWN and not (fact in DECIDES and value == NONE)


def _usual(values: Sequence[str], first: str) -> str:
    counts = Counter(values)
    most = [value for value, n in counts.items() if n == max(counts.values())]
    return first if first in most else most[0] if most else ""


def _best_minus_last(scores: pd.DataFrame) -> dict[tuple[str, str], str]:
    """(task, contender) -> the first number of the metric `best_minus_last`, over seeds."""
    if scores.empty:
        return {}
    named = scores["metric"].astype(str).str.partition("{")[0] == "best_minus_last"
    part = scores[named & (scores["seed"] == OVER_SEEDS) & (scores["slice"] == "") & (scores["shift"] == "")]
    found: dict[tuple[str, str], str] = {}
    for row in part.to_dict("records"):
        value = float(row["value"])
        found.setdefault((str(row["task"]), str(row["contender"])), str(row["status"]) if math.isnan(value) else f"{value:.4g}")
    return found
