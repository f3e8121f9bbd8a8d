"""A suite as YAML again, with every default written out: what was really asked, readable, and loadable to an equal suite."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from kdbench.nouns import (
    Compress,
    Contender,
    Fit,
    Json,
    Load,
    Probe,
    Relabel,
    ShiftUse,
    Start,
    Step,
    Suite,
    Task,
    Term,
    Train,
    Use,
    plain,
)
from kdbench.suite.nodes import scalar

WIDTH = 110

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.+-]*")


def resolve(suite: Suite) -> str:
    """The complete suite as YAML."""
    body: dict[str, Json] = {
        "suite": suite.name,
        "seeds": list(suite.seeds),
        "targets": [_use(use) for use in suite.targets],
        "axes": [_use(use) for use in suite.axes],
        "gates": plain(suite.gates),
        "compare": plain(suite.compare),
        "measure": plain(suite.measure),
        "resamples": suite.resamples,
        "min_group": suite.min_group,
        "tasks": {task.name: _task(task) for task in suite.tasks if not task.home},
    }
    return "\n".join(line for key, value in body.items() for line in _lines(key, value, 0)) + "\n"


def _use(use: Use) -> Json:
    return {use.name: dict(use.params)}


def _task(task: Task) -> Json:
    data = task.data
    tokenizer: dict[str, Json] = {"tokenizer": _use(data.tokenizer)} if data.tokenizer else {}
    return {
        "data": {
            "dataset": _use(data.dataset),
            **tokenizer,
            "length": data.length,
            "limit": dict(data.limit),
            "validation": data.validation,
            "shifts": [_shift(used) for used in data.shifts],
            "ood": [_use(used) for used in data.ood],
            "groups": list(data.groups),
            "allow_leak": data.allow_leak,
        },
        "probes": [_probe(probe) for probe in task.probes],
        "harness": {**plain(task.harness), "tasks": [_use(use) for use in task.harness.tasks]},  # type: ignore[dict-item]
        "teacher": {"steps": _steps(task.teacher)},
        "contenders": {row.name: _steps(row) for row in task.contenders},
    }


def _shift(used: ShiftUse) -> Json:
    return {used.shift.name: {"severities": list(used.severities), **used.shift.params}}


def _probe(probe: Probe) -> Json:
    settings: dict[str, Json] = {"limit": probe.limit, "labels": dict(probe.labels), "groups": list(probe.groups)}
    held = {**settings, **probe.dataset.params}  # a dataset may have a parameter of the same name, which then means both
    return {probe.dataset.name: {key: value for key, value in held.items() if value is not None or key not in settings}}


def _steps(row: Contender) -> Json:
    return [_step(step) for step in row.steps]


def _step(step: Step) -> Json:
    if isinstance(step, Start):
        return {"start": step.source}
    if isinstance(step, Load):
        return {"load": {"path": step.path, "head": step.head}}
    if isinstance(step, Relabel):
        return {"relabel": _use(step.relabeler), "teacher": step.teacher}
    if isinstance(step, Compress):
        return {"compress": _use(step.compressor)}
    return _fit(step)


def _fit(step: Fit) -> Json:
    made: dict[str, Json] = {"fit": {term.method.name: _term(term) for term in step.terms}, "train": _train(step.train)}
    if step.model:
        made["model"] = _use(step.model)
    made["teacher"] = step.teacher
    if step.recipe:
        made["recipe"] = step.recipe
    return made


def _term(term: Term) -> Json:
    return {"weight": term.weight, "start": term.start, "stop": term.stop, **term.method.params}


def _train(train: Train) -> Json:
    settings = plain(train)
    assert isinstance(settings, dict)
    return {**settings, "views": [_use(view) for view in train.views]}


def _lines(key: str, value: Json, depth: int) -> list[str]:
    """A key and its value: on one line where that is short, else in indented blocks."""
    head = "  " * depth + _text(key) + ":"
    short = f"{head} {_flow(value)}"
    if len(short) <= WIDTH or not isinstance(value, Mapping | list) or not value:
        return [short]
    if isinstance(value, Mapping):
        return [head, *(line for k, v in value.items() for line in _lines(k, v, depth + 1))]
    return [head, *(line for item in value for line in _item(item, depth + 1))]


def _item(item: Any, depth: int) -> list[str]:
    """An element of a list, with its dash."""
    indent = "  " * depth
    if isinstance(item, Mapping) and item and len(indent) + len(_flow(item)) + 2 > WIDTH:
        lines = [line for k, v in item.items() for line in _lines(k, v, depth + 1)]
        return [f"{indent}- {lines[0].lstrip()}", *lines[1:]]
    return [f"{indent}- {_flow(item)}"]


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value, allow_nan=False)


def _text(text: str) -> str:
    """A text, in quotes unless it can be read in one way only, by YAML 1.1 too."""
    old = text.lower() in {"y", "n", "yes", "no", "on", "off"}
    return text if _PLAIN.fullmatch(text) and scalar(text) == text and not old else json.dumps(text, ensure_ascii=False)
