"""Plugins in the JSON Schema of suites: their names, their parameters, and the ways to write them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

from kdbench.nouns import Refusal
from kdbench.signature import Description, Param
from kdbench.suite.forms import NUMBER, SHARE, Schema, closed, either, of_kind, ref
from kdbench.suite.kinds import Kind, numeric
from kdbench.suite.uses import types

SEVERITIES: Schema = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1, "maximum": 5},
    "minItems": 1,
    "uniqueItems": True,
}


def parameters(described: Description) -> Schema:
    """The mapping of a plugin's parameters."""
    kinds = types(described)
    made = {param.name: _parameter(param, kinds[param.name], described) for param in described.params}
    if described.kind == "method":
        made |= {"weight": either(NUMBER, ref("schedule")), "start": SHARE, "stop": SHARE}
    if described.kind == "shift":
        made["severities"] = SEVERITIES
    return {**closed(made, [p.name for p in described.params if p.required]), "description": _about(described)}


def use(kind: str, readable: Iterable[Description]) -> Schema:
    """A name, `{name: {parameters}}`, or for models and datasets `{model: name, ...parameters}`."""
    ready = list(readable)
    bare = [one.name for one in ready if not any(p.required for p in one.params)]
    named = {one.name: ref(f"{kind}.{one.name}") for one in ready}
    forms = [
        {"enum": [*bare, *(short for one in ready for short in _short(one))]},
        {**closed(named), "minProperties": 1, "maxProperties": 1},
    ]
    if kind in {"model", "dataset"}:
        forms += [beside(kind, one) for one in ready]
    return {"anyOf": forms}


def beside(kind: str, described: Description, **others: Schema) -> Schema:
    """`{model: name, ...parameters}`, and other keys where the block has some."""
    inner = parameters(described)
    keys = {**inner["properties"], kind: {"const": described.name, "description": inner["description"]}, **others}
    return closed(keys, [kind, *inner["required"]])


def sound(described: Description) -> bool:
    """Whether the types of its parameters can be read."""
    try:
        types(described)
    except Refusal:
        return False
    return True


def _parameter(param: Param, kind: Kind, described: Description) -> Schema:
    made = of_kind(kind)
    if described.kind == "method" and numeric(kind):
        made = either(made, ref("schedule"))
    if not param.required:
        made["default"] = param.default
    words = re.search(rf"^\s*`?{re.escape(param.name)}`?\s*:\s+(\S.*)$", described.doc, re.MULTILINE)
    return {**made, "description": words[1].strip()} if words else made


def _short(described: Description) -> list[str]:
    """`name:value` for each value of the only required parameter, where that is a choice."""
    required = [param for param in described.params if param.required]
    values = types(described)[required[0].name].values if len(required) == 1 else ()
    return [f"{described.name}:{value}" for value in values]


def _about(described: Description) -> str:
    """The first paragraph of the docs; of a metric, whose docs say what the function gives, its title and equation."""
    title, equation = (str(described.facts.get(name) or "") for name in ("title", "equation"))
    if described.kind == "metric" and equation:
        return f"{title or described.name}: {equation}"
    return _first_paragraph(described.doc)


def _first_paragraph(doc: str) -> str:
    return " ".join(inspect.cleandoc(doc).split("\n\n")[0].split())
