"""What the parts of a suite mean together: names, references, and whether each plugin fits where it stands.

The checks read records, so they hold for a suite made in Python too. Each gives (path, text) for what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from kdbench.nouns import Data, Fit, Gate, Suite, Task, labelled
from kdbench.registry import Plugins, nearest
from kdbench.suite import names
from kdbench.suite.beside import asked_beside, no_label
from kdbench.suite.chains import chains
from kdbench.suite.compare import comparison
from kdbench.suite.measure import gate_scenario, measuring
from kdbench.suite.other_task import other_tasks

Path: TypeAlias = tuple[str | int, ...]
Found: TypeAlias = Iterator[tuple[Path, str]]

LABEL = "class"
"""The group column that every task of classes has: the label of each example."""


def check(suite: Suite, plugins: Plugins, cap: int) -> Found:
    """Everything that is wrong with a suite whose structure is right. cap: most rows (contenders x seeds x targets)."""
    if wrong := names.problem(suite.name):
        yield ("suite",), wrong
    yield from _named(("tasks",), [task.name for task in suite.tasks])
    for task in suite.tasks:
        if task.home:
            continue  # what it is made of is checked where it is written
        at: Path = ("tasks", task.name)
        yield from _named((*at, "contenders"), [row.name for row in task.contenders])
        for row in task.contenders:
            if names.same(row.name) == "teacher":
                yield (*at, "contenders", row.name), "'teacher' is the name of the task's teacher (allowed: any other name)"
        yield from _data((*at, "data"), task.data, plugins)
        yield from _fits(at, task, plugins)
        yield from asked_beside(at, task, plugins)
        yield from chains(at, task, plugins)
    yield from other_tasks(suite, plugins)
    for i, gate in enumerate(suite.gates):
        yield from _gate(("gates", i), gate, suite, plugins)
    yield from comparison(("compare",), suite, plugins)
    yield from measuring(("measure",), suite, plugins)
    yield from _size(suite, cap)


def _named(at: Path, given: list[str]) -> Found:
    seen: dict[str, str] = {}
    for name in given:
        if wrong := names.problem(name):
            yield (*at, name), wrong
            continue
        first = seen.setdefault(names.same(name), name)
        if first is not name:
            yield (*at, name), f"found {name!r} beside {first!r} (allowed: names that differ in more than case)"


def _data(at: Path, data: Data, plugins: Plugins) -> Found:
    described = plugins.get("dataset", data.dataset.name)
    kind = str(described.facts.get("kind", ""))
    yield from _groups((*at, "groups"), data, tuple(described.facts.get("groups", ())))
    yield from no_label((*at, "groups"), data.groups, data.dataset, plugins)
    if data.validation >= 1:
        yield (*at, "validation"), f"found {data.validation:g} (allowed: a share below 1; something must be left to train on)"
    for i, used in enumerate(data.shifts):
        kinds = tuple(plugins.get("shift", used.shift.name).facts.get("kinds", ()))
        if kind not in kinds:
            yield (*at, "shifts", i), _kind("shift", used.shift.name, kinds, data.dataset.name, kind)
    for i, other in enumerate(data.ood):
        theirs = str(plugins.get("dataset", other.name).facts.get("kind", ""))
        if theirs != kind:
            yield (*at, "ood", i), _kind("dataset", other.name, (theirs,), data.dataset.name, kind)
        if other == data.dataset:
            yield (*at, "ood", i), f"{other.name} is the task's own dataset (allowed: another one)"


def _groups(at: Path, data: Data, columns: tuple[str, ...]) -> Found:
    known = (*columns, LABEL)
    for i, group in enumerate(data.groups):
        parts = group.split("*")
        for part in parts:
            if "*" not in columns and part not in known:
                yield (*at, i), f"{data.dataset.name} has no group column {part!r}{nearest(part, known)}"
        if len(set(parts)) < len(parts):
            yield (*at, i), f"{group!r} crosses a column with itself (allowed: different columns, such as sex*race)"
        if group in data.groups[:i]:
            yield (*at, i), f"the group column {group!r} is given twice"


def _kind(noun: str, name: str, kinds: tuple[str, ...], dataset: str, kind: str) -> str:
    return f"the {noun} {name!r} is for {' or '.join(kinds) or 'nothing'}, but the dataset {dataset!r} is of the kind {kind!r}"


def _fits(at: Path, task: Task, plugins: Plugins) -> Found:
    about = plugins.about(task.data.dataset)
    kind, asked = str(about.get("kind", "")), str(about.get("answer", "class"))
    read = "tokens" if kind == "text" else kind  # what a model meets
    for row in task.rows():
        start: Path = (*at, "teacher", "steps") if row is task.teacher else (*at, "contenders", row.name)
        for i, step in enumerate(row.steps):
            if not isinstance(step, Fit):
                continue
            facts = plugins.get("model", step.model.name).facts if step.model else {}
            kinds, answers = tuple(facts.get("kinds", (read,))), tuple(facts.get("answers", ("class",)))
            if read not in kinds:
                yield (*start, i, "model"), _kind("model", step.model.name, kinds, task.data.dataset.name, kind)  # type: ignore[union-attr]
            elif step.model and asked and asked not in answers:
                text = f"the model {step.model.name!r} answers with a {' or '.join(answers)}, but the dataset"
                yield (*start, i, "model"), f"{text} {task.data.dataset.name!r} asks for the answer {asked!r}"
            if step.train.nesterov and (step.train.optimizer != "sgd" or step.train.momentum == 0):
                wants = f"; the recipe of {step.recipe!r} may ask for it" if step.recipe else ""
                text = f"found nesterov: true with {step.train.optimizer} and momentum {step.train.momentum:g}"
                yield (*start, i, "train", "nesterov"), f"{text} (allowed: with sgd and a momentum above 0{wants})"
            if asked == "vector" and step.train.select == "best_validation":
                yield (*start, i, "train", "select"), "found best_validation, but vectors have no accuracy (allowed: last)"


def _gate(at: Path, gate: Gate, suite: Suite, plugins: Plugins) -> Found:
    tasks = [task for task in suite.tasks if gate.task in {"", task.name}]
    rows = dict.fromkeys(row.name for task in tasks for row in task.rows())
    known = {
        "metric": dict.fromkeys(use.name for use in suite.axes),
        "task": dict.fromkeys(("", *(task.name for task in suite.tasks))),
        "contender": {"": None, **rows},
        "target": dict.fromkeys(("", *labelled(suite.targets))),
    }
    for key, allowed in known.items():
        name = getattr(gate, key)
        if name not in allowed:
            what = "among the axes of this suite" if key == "metric" else f"a {key} of this suite"
            yield (*at, key), f"{name!r} is not {what}{nearest(name, [one for one in allowed if one])}"
    if gate.at_least is None and gate.at_most is None:
        yield at, "the gate has no bound (allowed: at_least, at_most or both)"
    if gate.at_least is not None and gate.at_most is not None and gate.at_least > gate.at_most:
        yield (*at, "at_most"), f"found {gate.at_most:g} (allowed: not below at_least, {gate.at_least:g})"
    if gate.metric in known["metric"]:
        yield from _bounds(at, gate, plugins)
        yield from gate_scenario(at, gate, suite, plugins)


def _bounds(at: Path, gate: Gate, plugins: Plugins) -> Found:
    """A bound beyond what the metric can reach, such as 95 for a fraction, could never be met or never be missed."""
    facts = plugins.get("metric", gate.metric).facts
    low, high = facts.get("low"), facts.get("high")
    if gate.of == "delta":
        low, high = (low - high, high - low) if low is not None and high is not None else (None, None)
    for key in ("at_least", "at_most"):
        bound = getattr(gate, key)
        if bound is not None and ((low is not None and bound < low) or (high is not None and bound > high)):
            span = f"from {low:g} " if low is not None else ""
            span += f"to {high:g}" if high is not None else "up"
            percent = f"; as a fraction, {bound / 100:g}" if high == 1 and 1 < bound <= 100 else ""
            what = gate.metric if gate.of == "value" else f"the difference in {gate.metric}"
            yield (*at, key), f"found {bound:g}, but {what} goes {span}{percent}"


def _size(suite: Suite, cap: int) -> Found:
    rows = sum(len(task.contenders) for task in suite.tasks if not task.home)
    size = rows * len(suite.seeds) * len(suite.targets)
    if size > cap:
        parts = f"{rows} contenders x {len(suite.seeds)} seeds x {len(suite.targets)} targets"
        yield (), f"the suite plans {size} rows ({parts}), more than {cap}; if that is meant, give --yes"
