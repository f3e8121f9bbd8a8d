"""The JSON Schema of suite files, for completion and checks in an editor.

`load` is stricter: it also knows what the parts mean together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench.nouns import Compare, Data, Gate, Harness, Measure, Suite, Train
from kdbench.registry import Plugins
from kdbench.signature import Description
from kdbench.suite.axes import SEEDS
from kdbench.suite.blocks import (
    COMPARE,
    DATA,
    GATE,
    HARNESS,
    LOAD,
    MEASURE,
    PROBE,
    SCHEDULE,
    SCHEDULE_DEFAULTS,
    SPLITS,
    SUITE,
    TRAIN,
    Key,
    defaults,
)
from kdbench.suite.forms import NUMBER, TEXT, Schema, closed, either, many, needing, of_kind, ref
from kdbench.suite.names import ALLOWED, LONGEST
from kdbench.suite.offered import SEVERITIES, beside, parameters, sound, use

DIALECT = "https://json-schema.org/draft/2020-12/schema"
USED = (
    "dataset", "model", "method", "compressor", "metric", "target", "shift", "view", "tokenizer", "relabeler", "harness",
)  # fmt: skip
"""Kinds of plugins that a suite names."""

NAME: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST, "description": ALLOWED}


def schema(plugins: Plugins) -> Schema:
    """JSON Schema, draft 2020-12, with the names, parameters and first paragraphs of the plugins that are there."""
    readable = {kind: [one for one in plugins.describe(kind) if isinstance(one, Description) and sound(one)] for kind in USED}
    definitions = {f"{kind}.{one.name}": parameters(one) for kind in USED for one in readable[kind]}
    definitions |= {kind: use(kind, readable[kind]) for kind in USED}
    definitions |= _blocks(readable)
    task = ("data", "teacher", "contenders")
    return {
        "$schema": DIALECT,
        "title": "kdbench suite",
        "type": "object",
        "properties": _top(),
        "additionalProperties": False,
        "required": ["suite"],
        "oneOf": [{"required": ["tasks"], "not": {"anyOf": [{"required": [key]} for key in task]}}, {"required": list(task)}],
        "$defs": definitions,
    }


def _blocks(readable: Mapping[str, list[Description]]) -> Schema:
    names = [one.name for one in readable["method"]]
    terms = {name: either(NUMBER, ref("schedule"), ref(f"method.{name}")) for name in names}
    bound = [{"required": ["at_least"]}, {"required": ["at_most"]}]
    return {
        "train": closed({**_keys(TRAIN, defaults(Train)), "views": many("view")}),
        "schedule": closed({"from": NUMBER, "to": NUMBER, **_keys(SCHEDULE, SCHEDULE_DEFAULTS)}, ["from", "to"]),
        "fit": {"anyOf": [{"enum": names}, {**closed(terms), "minProperties": 1}], "description": "what the training minimises"},
        "step": _step(),
        "steps": {"type": "array", "items": ref("step"), "minItems": 1},
        "data": _data(readable["dataset"]),
        "probe": _probe(readable["dataset"]),
        "load": either(TEXT, closed(_keys(LOAD, {"head": ""}), ["path"])),
        "teacher": _teacher(readable["model"]),
        "task": closed(_task(), ["data", "teacher", "contenders"]),
        "gate": {**closed(_keys(GATE, defaults(Gate)), ["metric"]), "anyOf": bound},
    }


def _step() -> Schema:
    beside = {"train": ref("train"), "teacher": TEXT, "model": ref("model"), "recipe": TEXT}
    others = (("start", TEXT), ("load", ref("load")), ("compress", ref("compressor")))
    relabel = closed({"relabel": ref("relabeler"), "teacher": TEXT}, ["relabel"])
    fit = closed({"fit": ref("fit"), **beside}, ["fit"])
    return either(fit, relabel, *(closed({key: value}, [key]) for key, value in others))


def _data(datasets: list[Description]) -> Schema:
    keys = {**_keys(DATA, defaults(Data)), "shifts": many("shift"), "severities": SEVERITIES, "ood": many("dataset")}
    keys["tokenizer"] = ref("tokenizer")
    keys["limit"] = closed({split: {"type": "integer", "minimum": 1} for split in SPLITS})
    bare = [one.name for one in datasets if not any(p.required for p in one.params)]
    inside = closed({"dataset": ref("dataset"), **keys}, ["dataset"])
    return either({"enum": bare}, inside, *(beside("dataset", one, **keys) for one in datasets))


def _probe(datasets: list[Description]) -> Schema:
    """A dataset, with what is said of a probe beside its parameters."""
    keys = _keys(PROBE, {"limit": 0, "labels": {}, "groups": []})
    bare = [one.name for one in datasets if not any(p.required for p in one.params)]
    named = {}
    for one in datasets:
        inner = parameters(one)
        named[one.name] = {**inner, "properties": {**inner["properties"], **keys}}
    return either({"enum": bare}, {**closed(named), "minProperties": 1, "maxProperties": 1})


def _teacher(models: list[Description]) -> Schema:
    fitted = {"fit": ref("fit"), "train": ref("train")}
    return either(
        closed({"load": ref("load")}, ["load"]),
        closed({"steps": ref("steps")}, ["steps"]),
        closed({"model": ref("model"), **fitted}, ["model", "fit"]),
        *(needing(beside("model", one, **fitted), "fit") for one in models),
    )


def _task() -> Schema:
    rows = {"type": "object", "additionalProperties": ref("steps"), "propertyNames": NAME, "minProperties": 1}
    return {
        "data": ref("data"),
        "probes": either(ref("probe"), {"type": "array", "items": ref("probe")}),
        "harness": closed({"tasks": many("harness"), **_keys(HARNESS, defaults(Harness))}, ["tasks"]),
        "teacher": ref("teacher"),
        "student": ref("model"),
        "train": ref("train"),
        "contenders": rows,
    }


def _top() -> Schema:
    seed = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
    return {
        "suite": NAME,
        "seeds": {"type": "array", "items": seed, "minItems": 1, "uniqueItems": True, "default": SEEDS},
        "targets": many("target"),
        "axes": many("metric"),
        "gates": {"type": "array", "items": ref("gate")},
        "compare": closed(_keys(COMPARE, defaults(Compare))),
        "measure": closed(_keys(MEASURE, defaults(Measure))),
        **_keys(SUITE, defaults(Suite)),
        "tasks": {"type": "object", "additionalProperties": ref("task"), "propertyNames": NAME, "minProperties": 1},
        **_task(),
    }


def _keys(keys: Mapping[str, Key], standard: Mapping[str, Any]) -> Schema:
    return {
        name: {**of_kind(key.kind), "description": key.doc, **({"default": standard[name]} if name in standard else {})}
        for name, key in keys.items()
    }
