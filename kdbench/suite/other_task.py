"""Teachers of another task, `teacher: TASK/CONTENDER`: who sees the same examples through other data, and answers from there."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from kdbench.nouns import Contender, Fit, Suite, Task
from kdbench.registry import Plugins, nearest
from kdbench.suite.chains import Found, asks_teacher, follows, place
from kdbench.suite.names import BETWEEN

ANSWERS = ("class", "vector")
"""Answers that two tasks can share. Those over a vocabulary are about the tokens of one text, and are not recorded."""


def other_tasks(suite: Suite, plugins: Plugins) -> Found:
    """What is wrong with the teachers that a suite's fits take from other tasks: (path, text) each."""
    homes = [task for task in suite.tasks if not task.home]
    wrong: list[tuple[tuple[str | int, ...], str]] = []
    for task in homes:
        for row in task.rows():
            for i, step in enumerate(row.steps):
                if isinstance(step, Fit) and BETWEEN in step.teacher:
                    at = (*place(("tasks", task.name), task, row), i, "teacher")
                    wrong += [(at, text) for text in _one(step, task, homes, plugins)]
    yield from wrong
    if not wrong:
        yield from _circle(homes, plugins)


def _one(fit: Fit, task: Task, homes: list[Task], plugins: Plugins) -> Iterator[str]:
    """What is wrong with one of them."""
    others = {f"{one.name}{BETWEEN}{row.name}": one for one in homes if one is not task for row in one.rows()}
    if fit.teacher not in others:
        first, _, own = fit.teacher.partition(BETWEEN)
        if first == task.name and any(row.name == own for row in task.rows()):
            yield f"found {fit.teacher!r}, which is of this task (allowed: {own!r})"
        elif not others:
            yield f"found {fit.teacher!r}, but the suite has no other task (allowed: {', '.join(r.name for r in task.rows())})"
        else:
            yield f"no contender named {fit.teacher!r} in another task{nearest(fit.teacher, list(others))}"
        return
    mine, theirs = (str(plugins.about(of.data.dataset).get("answer", "class")) for of in (task, others[fit.teacher]))
    if mine != theirs or mine not in ANSWERS:
        text = f"the answer of {fit.teacher!r} is of the kind {theirs!r}, that of this task {mine!r}"
        yield f"{text} (allowed: the same of {' and '.join(ANSWERS)}, which are recorded and do not depend on tokens)"
        return
    if asks_teacher(fit, plugins) and (why := needs_live(fit, plugins)):
        yield f"{why}; {fit.teacher!r} reads rows of its own, so only its recorded answers can teach here"


def needs_live(fit: Fit, plugins: Plugins) -> str:
    """Why the recorded answers of a teacher would not do for a fit; "" where they do."""
    for use in fit.train.views:
        view = plugins.get("view", use.name)
        if "teacher" in view.evidence:
            return f"the view {use.name!r} asks the teacher's network"
        if not view.facts.get("recorded", False):
            return f"the view {use.name!r} changes the examples after the teacher's answers were recorded"
    for term in fit.terms:
        if plugins.get("method", term.method.name).facts.get("inner", False):
            return f"the term {term.method.name!r} reads the attention of the teacher, which is not recorded"
    return ""


def _circle(homes: list[Task], plugins: Plugins) -> Found:
    """Contenders of several tasks that wait for each other; those of one task are told by themselves."""
    rows: dict[str, tuple[Task, Contender]] = {
        f"{task.name}{BETWEEN}{row.name}": (task, row) for task in homes for row in task.rows()
    }
    graph = {}
    for full, (task, row) in rows.items():
        named = (name if BETWEEN in name else f"{task.name}{BETWEEN}{name}" for name in follows(row, plugins))
        graph[full] = [name for name in named if name in rows]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        if len({rows[name][0].name for name in circle}) > 1:
            task, row = rows[circle[0]]
            yield place(("tasks", task.name), task, row), f"the contenders wait for each other: {' -> '.join(circle)}"
