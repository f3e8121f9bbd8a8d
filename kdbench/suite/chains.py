"""Whether the steps of each contender follow on one another, and the contenders of a task on each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from kdbench.nouns import Compress, Contender, Fit, Load, Relabel, Start, Step, Task
from kdbench.registry import Plugins, nearest
from kdbench.suite.names import BETWEEN

Path = tuple[str | int, ...]
Found = Iterator[tuple[Path, str]]


def chains(at: Path, task: Task, plugins: Plugins) -> Found:
    """What is wrong with the steps of a task: (path, text) each."""
    rows = {row.name: row for row in task.rows()}
    wrong = [found for row in task.rows() for found in _references(place(at, task, row), row, rows, plugins)]
    yield from wrong
    if wrong:
        return
    graph = {row.name: [name for name in follows(row, plugins) if BETWEEN not in name] for row in task.rows()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        text = f"the contenders wait for each other: {' -> '.join(circle)}"
        yield place(at, task, rows[circle[0]]), text
        return
    ends: dict[str, str] = {}
    for name in order:
        row = rows[name]
        problems: list[tuple[int, str]] = []
        ends[name] = _walk(row.steps, ends, plugins, problems)
        yield from (((*place(at, task, row), i), text) for i, text in problems)


def asks_teacher(fit: Fit, plugins: Plugins) -> bool:
    """Whether any term or view of a fit names the teacher among its evidence."""
    asked = [plugins.get("method", term.method.name) for term in fit.terms]
    asked += [plugins.get("view", view.name) for view in fit.train.views]
    return any("teacher" in described.evidence for described in asked)


def place(at: Path, task: Task, row: Contender) -> Path:
    """Where the steps of a row stand in the records of its task, which are at `at`."""
    return (*at, "teacher", "steps") if row is task.teacher else (*at, "contenders", row.name)


def _references(at: Path, row: Contender, rows: Mapping[str, Contender], plugins: Plugins) -> Found:
    """First steps, and the contenders that a step names."""
    for i, step in enumerate(row.steps):
        first = all(isinstance(earlier, Relabel) for earlier in row.steps[:i])  # which makes data, and no model
        if first and isinstance(step, Compress):
            yield (*at, i), "nothing to compress yet (allowed as a first step: start, load, fit)"
        if isinstance(step, Load) and step.head and not any(isinstance(later, Fit) for later in row.steps[i + 1 :]):
            yield (*at, i), "a new head knows nothing (allowed: head: new before a fit)"
        if not first and isinstance(step, Start | Load):
            kind = "start" if isinstance(step, Start) else "load"
            yield (*at, i), f"{kind} would throw away the earlier steps (allowed after the first step: fit, compress)"
        source = step.source if isinstance(step, Start) else step.teacher if isinstance(step, Fit | Relabel) else "teacher"
        key = "start" if isinstance(step, Start) else "teacher"
        away = BETWEEN in source
        if away and not isinstance(step, Fit):
            what = "start is from" if key == "start" else "relabel asks about the rows of"
            yield (*at, i, key), f"{what} the task itself, found {source!r} (allowed: {', '.join(rows)})"
        elif not away and source not in rows:
            yield (*at, i, key), f"no contender named {source!r}{nearest(source, list(rows))}"
        elif isinstance(step, Fit) and source != "teacher" and not asks_teacher(step, plugins):
            text = f"no term of this fit asks for a teacher, so {source!r} would not be used (allowed: no key 'teacher')"
            yield (*at, i, key), text


def follows(row: Contender, plugins: Plugins) -> list[str]:
    """The contenders that must be made before this one; those of another task as TASK/CONTENDER."""
    starts = [step.source for step in row.steps if isinstance(step, Start)]
    taught = [step.teacher for step in row.steps if isinstance(step, Fit) and asks_teacher(step, plugins)]
    return starts + taught + [step.teacher for step in row.steps if isinstance(step, Relabel)]


def _walk(steps: tuple[Step, ...], ends: Mapping[str, str], plugins: Plugins, problems: list[tuple[int, str]]) -> str:
    """The runtime that the steps end with, "" where it is not known yet; and what cannot take the runtime before it."""
    runtime = ""
    for i, step in enumerate(steps):
        if isinstance(step, Start):
            runtime = ends[step.source]
        elif isinstance(step, Load):
            runtime = ""
        elif isinstance(step, Relabel):
            if i + 1 == len(steps) or not any(isinstance(later, Fit) for later in steps[i + 1 :]):
                problems.append((i, "nobody trains on the new data (allowed: relabel before a fit)"))
        elif isinstance(step, Fit):
            if runtime not in {"", "torch"}:
                problems.append(
                    (i, f"a fit trains torch models, but the earlier steps give {runtime} (allowed: fit before that step)")
                )
            runtime = "torch"
        else:
            described = plugins.get("compressor", step.compressor.name)
            accepts = tuple(described.facts.get("accepts", ("torch",)))
            if runtime and runtime not in accepts:
                what = f"{step.compressor.name} takes {' or '.join(accepts)}, but the earlier steps give {runtime}"
                problems.append((i, f"{what} (allowed: compressors that take {runtime})"))
            runtime = str(described.facts.get("gives", "torch"))
    return runtime
