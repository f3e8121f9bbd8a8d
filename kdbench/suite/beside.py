"""What the models of a task are asked beside its own data: the blocks `probes` and `harness`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kdbench.nouns import Harness, Probe, Task, Use, labelled
from kdbench.registry import Plugins, nearest
from kdbench.suite.blocks import HARNESS, PROBE, given
from kdbench.suite.cursor import Cursor
from kdbench.suite.names import LONGEST
from kdbench.suite.uses import filled, parameters, uses

Found = Iterator[tuple[tuple[str | int, ...], str]]


def probes(cursor: Cursor, plugins: Plugins) -> tuple[Probe, ...]:
    """The other datasets, each `NAME` or `{NAME: {parameters, limit, labels, groups}}`; a dataset once with the same
    parameters.
    """
    result: list[Probe] = []
    for element in cursor.elements("dataset names, each NAME or {NAME: {parameters, limit, labels, groups}}", single=True):
        settings: dict[str, Any] = {}
        if element.is_text():
            dataset = filled(str(element.node.value), element, "dataset", plugins)
        else:
            values = parameters(element, "dataset")
            if values is None:
                continue
            dataset = filled(next(iter(element)), values, "dataset", plugins, tuple(PROBE))
            settings = {key: value for key, value in given(values, PROBE).items() if value is not None}
            settings["groups"] = tuple(settings.get("groups", ()))
        if dataset and any(dataset == other.dataset for other in result):
            element.refuse(f"{dataset.name} is given twice with the same parameters")
        elif dataset:
            result.append(Probe(dataset, **settings))
    return tuple(result)


def harness(cursor: Cursor, plugins: Plugins) -> Harness:
    """The tasks of lm-eval."""
    if not cursor.mapping(("tasks", *HARNESS), what="a mapping with tasks, limit and shots"):
        return Harness()
    settings = {key: value for key, value in given(cursor, HARNESS).items() if value is not None}
    if "tasks" not in cursor:
        cursor.refuse("the key 'tasks' is missing (allowed: a list of tasks, such as [blimp])")
        return Harness()
    return Harness(uses(cursor["tasks"], "harness", plugins), **settings)


def expanded(tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """Each task, followed by those that it asks for beside itself: one for every probe and every task of lm-eval."""
    made: list[Task] = []
    for task in tasks:
        made.append(task)
        for name, use in labelled([probe.dataset for probe in task.probes]).items():
            probe = next(one for one in task.probes if one.dataset == use)
            most = {"test": probe.limit} if probe.limit else {}
            data = replace(task.data, dataset=use, limit=most, shifts=(), ood=(), groups=probe.groups)
            made.append(
                replace(task, name=_title(task, "on", name), data=data, probes=(probe,), harness=Harness(), home=task.name)
            )
        for name, use in labelled(task.harness.tasks).items():
            data = replace(task.data, dataset=use, limit={}, shifts=(), ood=(), groups=())
            one = replace(task.harness, tasks=(use,))
            made.append(replace(task, name=_title(task, "asks", name), data=data, probes=(), harness=one, home=task.name))
    return tuple(made)


def _title(task: Task, word: str, name: str) -> str:
    """A name that is allowed: parameters in braces become plain words."""
    return re.sub(r"[^\w.+-]+", " ", f"{task.name} {word} {name}").strip(" .")[:LONGEST].strip(" .")


def asked_beside(at: tuple[str | int, ...], task: Task, plugins: Plugins) -> Found:
    """What of the two blocks does not go with the task: (path, text) each."""
    mine = plugins.about(task.data.dataset)
    for i, probe in enumerate(task.probes):
        name, theirs = probe.dataset.name, plugins.about(probe.dataset)
        for what, default in (("kind", ""), ("answer", "class")):
            here, there = str(mine.get(what, default)), str(theirs.get(what, default))
            if here != there:
                text = f"{name!r} is of the {what} {there!r}, the dataset {task.data.dataset.name!r} of the {what} {here!r}"
                yield (*at, "probes", i), f"{text} (allowed: datasets of the same kind and answer)"
        if probe.dataset == task.data.dataset:
            yield (*at, "probes", i), f"{name} is the task's own dataset (allowed: another one)"
        columns = tuple(theirs.get("groups", ()))
        for group in probe.groups:
            for part in group.split("*"):
                if "*" not in columns and part not in (*columns, "class"):
                    yield (*at, "probes", i), f"{name} has no group column {part!r}{nearest(part, (*columns, 'class'))}"
        yield from no_label((*at, "probes", i), probe.groups, probe.dataset, plugins)
    if task.harness.tasks and mine.get("answer", "class") not in ("next", "text"):
        yield (
            (*at, "harness"),
            f"lm-eval asks language models; the models of this task answer with a {mine.get('answer', 'class')}",
        )


def no_label(at: tuple[str | int, ...], groups: tuple[str, ...], dataset: Use, plugins: Plugins) -> Found:
    """Group columns "class", the label, of a dataset whose examples have none, because it asks for tokens or texts."""
    for i, group in enumerate(groups):
        if "class" in group.split("*") and plugins.about(dataset).get("answer") in ("next", "text"):
            allowed = "columns of the data by a name of their own"
            yield (*at, i), f"found {group!r}, the label, which no example of {dataset.name!r} has (allowed: {allowed})"
