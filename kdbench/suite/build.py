"""From the tree of a suite file to the records: structure, types and defaults. What the parts mean together is checked later."""

from __future__ import annotations

from typing import Any

from kdbench.nouns import Compare, Data, Gate, Harness, Json, Measure, ShiftUse, Suite, Task, Use
from kdbench.registry import Plugins
from kdbench.suite.axes import SEEDS, TARGETS, added, standard
from kdbench.suite.beside import expanded, harness, probes
from kdbench.suite.blocks import DATA, GATE, SPLITS, SUITE, defaults, given
from kdbench.suite.compare import compared
from kdbench.suite.cursor import Cursor
from kdbench.suite.kinds import Kind, describe, parse
from kdbench.suite.measure import measured
from kdbench.suite.nodes import of
from kdbench.suite.steps import Ground, contender, teacher, train
from kdbench.suite.uses import filled, parameters, use, uses

TASK = ("data", "probes", "harness", "teacher", "student", "train", "contenders")
TOP = (
    "suite",
    "seeds",
    "targets",
    "train",
    "axes",
    "gates",
    "compare",
    "measure",
    *SUITE,
    "tasks",
    *(key for key in TASK if key != "train"),
)
DATA_KEYS = ("dataset", "tokenizer", *DATA, "shifts", "severities", "ood")
SEVERITIES = (1, 2, 3, 4, 5)


def suite(cursor: Cursor, plugins: Plugins) -> Suite:
    """The whole suite. Errors go to the cursor's log; where there are any, the result is not to be used."""
    cursor.mapping(TOP)
    name = _needed(cursor, "suite", parse("str"))
    outer = train(cursor["train"], plugins) if "train" in cursor else {}
    tasks = expanded(_tasks(cursor, plugins, outer))
    return Suite(
        name=name,
        seeds=_seeds(cursor["seeds"]) if "seeds" in cursor else _seeds(cursor.put(of(SEEDS, "kdbench"), "seeds")),
        tasks=tasks,
        targets=_listed(cursor, "targets", "target", plugins, TARGETS),
        axes=_axes(cursor, tasks, plugins),
        gates=_gates(cursor["gates"]) if "gates" in cursor else (),
        compare=compared(cursor["compare"]) if "compare" in cursor else Compare(),
        measure=measured(cursor["measure"]) if "measure" in cursor else Measure(),
        **{**{key: defaults(Suite)[key] for key in SUITE}, **given(cursor, SUITE)},
    )


def _needed(cursor: Cursor, key: str, kind: Kind) -> Any:
    if key in cursor:
        return cursor[key].take(kind)
    cursor.missing(key, kind)
    return None


def _seeds(cursor: Cursor) -> tuple[int, ...]:
    elements = cursor.elements("whole numbers from 0")
    seeds = [element.take(parse("Whole")) for element in elements]
    seen: set[int] = set()
    for element, seed in zip(elements, seeds, strict=True):
        if seed is not None and seed >= 2**32:
            element.refuse(f"found {seed} (allowed: seeds below 2**32)")
        if seed in seen:
            element.refuse(f"the seed {seed} is given twice; equal runs would look like certainty")
        seen.add(seed)
    if not seeds and isinstance(cursor.node.value, tuple):
        cursor.refuse("found no seed (allowed: at least one)")
    return tuple(seeds)


def _listed(cursor: Cursor, key: str, kind: str, plugins: Plugins, default: list[Json]) -> tuple[Use, ...]:
    """Targets or axes: as given, or the default list."""
    here = cursor[key] if key in cursor else cursor.put(of(default, "kdbench"), f"default {key}")
    made = uses(here, kind, plugins)
    if not made and here.node.value == ():
        here.refuse(f"found no {kind} (allowed: at least one)")
    return made


def _axes(cursor: Cursor, tasks: tuple[Task, ...], plugins: Plugins) -> tuple[Use, ...]:
    """As given, with what tasks of lm-eval are asked in any case; or the default list."""
    asked = _listed(cursor, "axes", "metric", plugins, standard(tasks, plugins))
    more = added(tasks, plugins, asked)
    return (*asked, *uses(cursor.put(of(more, "kdbench"), "axes of lm-eval"), "metric", plugins)) if asked and more else asked


def _tasks(cursor: Cursor, plugins: Plugins, outer: dict[str, Any]) -> tuple[Task, ...]:
    if "tasks" not in cursor:
        made = _task(cursor, None, plugins, outer)
        return (made,) if made else ()
    for key in TASK:
        if key in cursor and key != "train":
            cursor.refuse_key(key, f"found beside 'tasks' (allowed: {key!r} inside each task, or one task without 'tasks')")
    tasks = cursor["tasks"]
    if not tasks.mapping(what="a mapping of task names to tasks"):
        return ()
    if not list(tasks):
        tasks.refuse("found no task (allowed: at least one)")
    result = []
    for name in tasks:
        if tasks[name].mapping(TASK, what=f"a task with the keys {', '.join(TASK)}"):
            own = train(tasks[name]["train"], plugins) if "train" in tasks[name] else {}
            result.append(_task(tasks[name], name, plugins, {**outer, **own}))
    return tuple(task for task in result if task)


def _task(cursor: Cursor, name: str | None, plugins: Plugins, settings: dict[str, Any]) -> Task | None:
    """A task; without a name it is called after its dataset."""
    absent = [key for key in ("data", "teacher", "contenders") if key not in cursor]
    for key in absent:
        cursor.refuse(
            f"the key {key!r} is missing" + ("" if name is not None else " (allowed: data, teacher, contenders; or tasks)")
        )
    student = use(cursor["student"], "model", plugins) if "student" in cursor else None
    missed = "student" in cursor and student is None
    data = _data(cursor["data"], plugins) if "data" in cursor else None
    tutor = teacher(cursor["teacher"], plugins, Ground(settings)) if "teacher" in cursor else None
    if "contenders" in absent or missed:
        return None
    rows = cursor["contenders"]
    if not rows.mapping(what="a mapping of names to lists of steps"):
        return None
    if not list(rows):
        rows.refuse("found no contender (allowed: at least one)")
    ground = Ground(settings, student)
    made = tuple(contender(rows[key], key, plugins, ground) for key in rows)
    others = probes(cursor["probes"], plugins) if "probes" in cursor else ()
    questions = harness(cursor["harness"], plugins) if "harness" in cursor else Harness()
    return Task(data.dataset.name if name is None else name, data, tutor, made, others, questions) if data and tutor else None


def _data(cursor: Cursor, plugins: Plugins) -> Data | None:
    """`NAME`, or a mapping with `dataset`, the fixed keys, and the dataset's own parameters beside them or inside `dataset`."""
    if not cursor.is_text() and not cursor.mapping(what=f"the name of a dataset, or a mapping with {', '.join(DATA_KEYS)}"):
        return None
    if not cursor.is_text() and "dataset" not in cursor:
        cursor.refuse("the key 'dataset' is missing (allowed: the name of a dataset)")
        return None
    dataset = use(cursor, "dataset", plugins, DATA_KEYS)
    settings = {**defaults(Data), **given(cursor, DATA)}
    for split in settings["limit"] or ():
        if split not in SPLITS:
            cursor["limit"].refuse_key(split, f"unknown key {split!r} (allowed: {', '.join(SPLITS)})")
    common = _severities(cursor["severities"]) if "severities" in cursor else SEVERITIES
    settings["shifts"] = _shifts(cursor["shifts"], plugins, common) if "shifts" in cursor else ()
    settings["ood"] = uses(cursor["ood"], "dataset", plugins) if "ood" in cursor else ()
    settings["groups"] = tuple(settings["groups"] or ())
    settings["tokenizer"] = use(cursor["tokenizer"], "tokenizer", plugins) if "tokenizer" in cursor else None
    return Data(dataset, **settings) if dataset else None


def _shifts(cursor: Cursor, plugins: Plugins, common: tuple[int, ...]) -> tuple[ShiftUse, ...]:
    result: list[ShiftUse] = []
    for element in cursor.elements("shift names, each NAME or {NAME: {parameters, severities}}", single=True):
        if element.is_text():
            shift, severities = filled(str(element.node.value), element, "shift", plugins), common
        else:
            values = parameters(element, "shift")
            if values is None:
                continue
            shift = filled(next(iter(element)), values, "shift", plugins, ("severities",))
            severities = _severities(values["severities"]) if "severities" in values else common
        if shift and any(shift == other.shift for other in result):
            element.refuse(f"{shift.name} is given twice with the same parameters")
        elif shift:
            result.append(ShiftUse(shift, severities))
    return tuple(result)


def _severities(cursor: Cursor) -> tuple[int, ...]:
    made = []
    for element in cursor.elements("severities 1 to 5"):
        value = element.take(Kind("int"))
        if value is not None and value not in SEVERITIES:
            element.refuse(f"found {value} (allowed: a severity from 1 to 5)")
        if value is not None and value in made:
            element.refuse(f"the severity {value} is given twice")
        made.append(value)
    if not made and isinstance(cursor.node.value, tuple):
        cursor.refuse("found no severity (allowed: at least one of 1 to 5)")
    return tuple(made)


def _gates(cursor: Cursor) -> tuple[Gate, ...]:
    result = []
    for element in cursor.elements("gates, each {metric: ..., at_least: ...}"):
        if not element.mapping(GATE, what="a gate, such as {metric: accuracy, at_least: 0.9}"):
            continue
        settings = given(element, GATE)
        if "metric" not in element:
            element.refuse(f"the key 'metric' is missing (allowed: {describe(GATE['metric'].kind)})")
        if settings.get("at_least") is None and settings.get("at_most") is None:
            element.refuse("the gate has no bound (allowed: at_least, at_most or both)")
        result.append(Gate(**{"metric": "", **settings}))
    return tuple(result)
