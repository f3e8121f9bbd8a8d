"""The JSON Schema of suite files, for completion and checks in an editor.

`load` is stricter: it also knows what the parts mean together.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from kdbench.nouns import Compare, Data, Gate, Measure, Refusal, Suite, Train
from kdbench.registry import Plugins
from kdbench.signature import Description, Param
from kdbench.suite.axes import SEEDS
from kdbench.suite.blocks import COMPARE, DATA, GATE, MEASURE, SCHEDULE, SCHEDULE_DEFAULTS, SPLITS, SUITE, TRAIN, Key, defaults
from kdbench.suite.kinds import Kind, numeric
from kdbench.suite.names import ALLOWED, LONGEST
from kdbench.suite.uses import types

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
USED = ("dataset", "model", "method", "compressor", "metric", "target", "shift", "view")
"""Kinds of plugins that a suite names."""

NAME: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST, "description": ALLOWED}
_FORMS = {"float": "number", "int": "integer", "bool": "boolean", "str": "string", "none": "null"}


def schema(plugins: Plugins) -> Schema:
    """JSON Schema, draft 2020-12, with the names, parameters and first paragraphs of the plugins that are there."""
    readable = {kind: [one for one in plugins.describe(kind) if isinstance(one, Description) and _sound(one)] for kind in USED}
    definitions = {f"{kind}.{one.name}": parameters(one) for kind in USED for one in readable[kind]}
    definitions |= {kind: _use(kind, readable[kind]) for kind in USED}
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


def of_kind(kind: Kind) -> Schema:
    """What a type allows, as JSON Schema."""
    if kind.form in {"float", "int"}:
        limits = kind.range
        low, high = "exclusiveMinimum" if limits.low_open else "minimum", "exclusiveMaximum" if limits.high_open else "maximum"
        return {"type": _FORMS[kind.form], **{k: v for k, v in ((low, limits.low), (high, limits.high)) if v is not None}}
    if kind.form in _FORMS:
        return {"type": _FORMS[kind.form]}
    if kind.form == "choice":
        return {"enum": list(kind.values)}
    if kind.form == "either":
        return {"anyOf": [of_kind(part) for part in kind.parts]}
    if kind.form == "list":
        return {"type": "array", "items": of_kind(kind.parts[0])}
    if kind.form == "tuple":
        parts = [of_kind(part) for part in kind.parts]
        return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
    return {"type": "object", "additionalProperties": of_kind(kind.parts[0])} if kind.form == "dict" else {}


def parameters(described: Description) -> Schema:
    """The mapping of a plugin's parameters."""
    kinds = types(described)
    made = {param.name: _parameter(param, kinds[param.name], described) for param in described.params}
    if described.kind == "method":
        made |= {"weight": _either(_NUMBER, _ref("schedule")), "start": _SHARE, "stop": _SHARE}
    if described.kind == "shift":
        made["severities"] = _SEVERITIES
    return {**_closed(made, [p.name for p in described.params if p.required]), "description": _about(described)}


_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_SEVERITIES: Schema = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1, "maximum": 5},
    "minItems": 1,
    "uniqueItems": True,
}


def _sound(described: Description) -> bool:
    try:
        types(described)
    except Refusal:
        return False
    return True


def _parameter(param: Param, kind: Kind, described: Description) -> Schema:
    made = of_kind(kind)
    if described.kind == "method" and numeric(kind):
        made = _either(made, _ref("schedule"))
    if not param.required:
        made["default"] = param.default
    words = re.search(rf"^\s*`?{re.escape(param.name)}`?\s*:\s+(\S.*)$", described.doc, re.MULTILINE)
    return {**made, "description": words[1].strip()} if words else made


def _use(kind: str, readable: Iterable[Description]) -> Schema:
    """A name, `{name: {parameters}}`, or for models and datasets `{model: name, ...parameters}`."""
    ready = list(readable)
    bare = [one.name for one in ready if not any(p.required for p in one.params)]
    named = {one.name: _ref(f"{kind}.{one.name}") for one in ready}
    forms = [
        {"enum": [*bare, *(short for one in ready for short in _short(one))]},
        {**_closed(named), "minProperties": 1, "maxProperties": 1},
    ]
    if kind in {"model", "dataset"}:
        forms += [_beside(kind, one) for one in ready]
    return {"anyOf": forms}


def _short(described: Description) -> list[str]:
    """`name:value` for each value of the only required parameter, where that is a choice."""
    required = [param for param in described.params if param.required]
    values = types(described)[required[0].name].values if len(required) == 1 else ()
    return [f"{described.name}:{value}" for value in values]


def _beside(kind: str, described: Description, **others: Schema) -> Schema:
    """`{model: name, ...parameters}`, and other keys where the block has some."""
    inner = parameters(described)
    keys = {**inner["properties"], kind: {"const": described.name, "description": inner["description"]}, **others}
    return _closed(keys, [kind, *inner["required"]])


def _blocks(readable: Mapping[str, list[Description]]) -> Schema:
    names = [one.name for one in readable["method"]]
    terms = {name: _either(_NUMBER, _ref("schedule"), _ref(f"method.{name}")) for name in names}
    bound = [{"required": ["at_least"]}, {"required": ["at_most"]}]
    return {
        "train": _closed({**_keys(TRAIN, defaults(Train)), "views": _many("view")}),
        "schedule": _closed({"from": _NUMBER, "to": _NUMBER, **_keys(SCHEDULE, SCHEDULE_DEFAULTS)}, ["from", "to"]),
        "fit": {"anyOf": [{"enum": names}, {**_closed(terms), "minProperties": 1}], "description": "what the training minimises"},
        "step": _step(),
        "steps": {"type": "array", "items": _ref("step"), "minItems": 1},
        "data": _data(readable["dataset"]),
        "teacher": _teacher(readable["model"]),
        "task": _closed(_task(), ["data", "teacher", "contenders"]),
        "gate": {**_closed(_keys(GATE, defaults(Gate)), ["metric"]), "anyOf": bound},
    }


def _step() -> Schema:
    beside = {"train": _ref("train"), "teacher": _TEXT, "model": _ref("model"), "recipe": _TEXT}
    others = (("start", _TEXT), ("load", _TEXT), ("compress", _ref("compressor")))
    return _either(_closed({"fit": _ref("fit"), **beside}, ["fit"]), *(_closed({key: value}, [key]) for key, value in others))


def _data(datasets: list[Description]) -> Schema:
    keys = {**_keys(DATA, defaults(Data)), "shifts": _many("shift"), "severities": _SEVERITIES, "ood": _many("dataset")}
    keys["limit"] = _closed({split: {"type": "integer", "minimum": 1} for split in SPLITS})
    bare = [one.name for one in datasets if not any(p.required for p in one.params)]
    inside = _closed({"dataset": _ref("dataset"), **keys}, ["dataset"])
    return _either({"enum": bare}, inside, *(_beside("dataset", one, **keys) for one in datasets))


def _teacher(models: list[Description]) -> Schema:
    fitted = {"fit": _ref("fit"), "train": _ref("train")}
    return _either(
        _closed({"load": _TEXT}, ["load"]),
        _closed({"steps": _ref("steps")}, ["steps"]),
        _closed({"model": _ref("model"), **fitted}, ["model", "fit"]),
        *(_with(_beside("model", one, **fitted), "fit") for one in models),
    )


def _task() -> Schema:
    rows = {"type": "object", "additionalProperties": _ref("steps"), "propertyNames": NAME, "minProperties": 1}
    return {
        "data": _ref("data"),
        "teacher": _ref("teacher"),
        "student": _ref("model"),
        "train": _ref("train"),
        "contenders": rows,
    }


def _top() -> Schema:
    seed = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
    return {
        "suite": NAME,
        "seeds": {"type": "array", "items": seed, "minItems": 1, "uniqueItems": True, "default": SEEDS},
        "targets": _many("target"),
        "axes": _many("metric"),
        "gates": {"type": "array", "items": _ref("gate")},
        "compare": _closed(_keys(COMPARE, defaults(Compare))),
        "measure": _closed(_keys(MEASURE, defaults(Measure))),
        **_keys(SUITE, defaults(Suite)),
        "tasks": {"type": "object", "additionalProperties": _ref("task"), "propertyNames": NAME, "minProperties": 1},
        **_task(),
    }


def _many(kind: str) -> Schema:
    return _either(_ref(kind), {"type": "array", "items": _ref(kind)})


def _keys(keys: Mapping[str, Key], standard: Mapping[str, Any]) -> Schema:
    return {
        name: {**of_kind(key.kind), "description": key.doc, **({"default": standard[name]} if name in standard else {})}
        for name, key in keys.items()
    }


def _closed(properties: Schema, required: Iterable[str] = ()) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _with(block: Schema, key: str) -> Schema:
    return {**block, "required": [*block["required"], key]}


def _either(*forms: Schema) -> Schema:
    return {"anyOf": list(forms)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _about(described: Description) -> str:
    """The first paragraph of the docs; of a metric, whose docs say what the function gives, its title and equation."""
    title, equation = (str(described.facts.get(name) or "") for name in ("title", "equation"))
    if described.kind == "metric" and equation:
        return f"{title or described.name}: {equation}"
    return _first_paragraph(described.doc)


def _first_paragraph(doc: str) -> str:
    return " ".join(inspect.cleandoc(doc).split("\n\n")[0].split())
