"""What was done to make each contender, from the suite and from the records of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from kdbench.nouns import (
    Contender,
    Fit,
    Json,
    Load,
    Plan,
    Relabel,
    Start,
    Step,
    Suite,
    Task,
    Term,
    Train,
    Use,
    canonical,
)
from kdbench.store import Missing, Store

COLUMNS = ("task", "contender", "key", "value")


def recipes(suite: Suite, plan: Plan, store: Store) -> Iterator[dict[str, str]]:
    """One row for each task, contender and fact; facts in the same order for all."""
    for task in suite.tasks:
        if task.home:
            continue  # its contenders are made where they are at home
        for contender in task.rows():
            facts = {**_asked(task, contender), **_recorded(task, contender, plan, store)}
            for key, value in facts.items():
                yield {"task": task.name, "contender": contender.name, "key": key, "value": value}


def _asked(task: Task, contender: Contender) -> dict[str, str]:
    steps = [_step(step) for step in contender.steps]
    facts = {"steps": ", then ".join(steps)}
    fits = [step for step in contender.steps if isinstance(step, Fit)]
    first = contender.steps[0]
    if isinstance(first, Start):
        facts["starts_from"] = first.source
    elif isinstance(first, Load):
        facts["starts_from"] = f"folder {first.path.rstrip('/').rsplit('/', 1)[-1]}" + (", a new head" if first.head else "")
    else:
        facts["starts_from"] = "initial weights from the seed"
    if fits:
        fit = fits[-1]
        model = next((f.model for f in fits if f.model is not None), None)
        facts["model"] = _use(model) if model else "as it starts"
        facts["terms"] = ", ".join(_term(term) for term in fit.terms)
        facts["teacher"] = (
            fit.teacher if fit.teacher != "teacher" else ""
        )  # an assistant; who has no teacher at all, the terms say
        facts |= _train(fit.train)
    return {k: v for k, v in facts.items() if v}


def _train(train: Train) -> dict[str, str]:
    facts = {f.name: getattr(train, f.name) for f in fields(train) if f.name != "views"}
    text = {
        "select" if k == "select" else k: "none" if v is None else str(v).lower() if isinstance(v, bool) else str(v)
        for k, v in facts.items()
    }
    return {**text, "views": ", ".join(_use(v) for v in train.views) or "none"}


def _step(step: Step) -> str:
    if isinstance(step, Start):
        return f"start from {step.source}"
    if isinstance(step, Load):
        return "load a folder"
    if isinstance(step, Relabel):
        return f"new training data by {_use(step.relabeler)} of {step.teacher}"
    if isinstance(step, Fit):
        return f"fit {step.recipe or ' + '.join(t.method.name for t in step.terms)}"
    return f"compress with {_use(step.compressor)}"


def _term(term: Term) -> str:
    weight = _value(term.weight)
    span = "" if (term.start, term.stop) == (0, 1) else f" from {term.start:g} to {term.stop:g} of training"
    return f"{weight} {_use(term.method)}{span}"


def _use(use: Use) -> str:
    params = ", ".join(f"{k}={_value(v)}" for k, v in use.params.items())
    return f"{use.name}({params})" if params else use.name


def _value(value: Json) -> str:
    """A parameter as people write it: a schedule is "5 to 1", with its shape and span where they are not the plain ones."""
    if isinstance(value, dict) and {"from", "to"} <= set(value):
        shape = "" if value.get("shape", "linear") == "linear" else f" {value['shape']}"
        plain_span = (value.get("start", 0), value.get("stop", 1)) == (0, 1)
        span = "" if plain_span else f" between {_value(value['start'])} and {_value(value['stop'])} of training"
        return f"{_value(value['from'])} to {_value(value['to'])}{shape}{span}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    return value if isinstance(value, str) else canonical(value)


def _recorded(task: Task, contender: Contender, plan: Plan, store: Store) -> dict[str, str]:
    """From the record of the first seed that there is: what really happened."""
    for cell in plan.cells:
        if cell.evidence == "cost" and (cell.task, cell.contender) == (task.name, contender.name) and cell.key:
            try:
                record = store.open(cell.key).json("record.json")
            except Missing:
                continue
            return dict(_facts(record))
    return {}


def _facts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    chain = record.get("chain", {})
    for key, value in (("examples_seen", chain.get("examples")), ("teacher_passes", chain.get("teacher_passes"))):
        if value is not None:
            yield key, str(value)
    if record.get("selected_epoch") is not None:
        yield "selected_epoch", str(record["selected_epoch"])
    for key, value in sorted(record.get("parity", {}).items()):
        if isinstance(value, bool | int | float | str):  # lists and mappings repeat what the suite says
            yield key, {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    notes = record.get("notes") or []
    if notes:
        yield "notes", "; ".join(map(str, notes))
