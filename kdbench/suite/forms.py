"""The pieces of which the JSON Schema of suites is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from kdbench.suite.kinds import Kind

Schema: TypeAlias = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
FORMS = {"float": "number", "int": "integer", "bool": "boolean", "str": "string", "none": "null"}


def of_kind(kind: Kind) -> Schema:
    """What a type allows, as JSON Schema."""
    if kind.form in {"float", "int"}:
        limits = kind.range
        low, high = "exclusiveMinimum" if limits.low_open else "minimum", "exclusiveMaximum" if limits.high_open else "maximum"
        return {"type": FORMS[kind.form], **{k: v for k, v in ((low, limits.low), (high, limits.high)) if v is not None}}
    if kind.form in FORMS:
        return {"type": FORMS[kind.form]}
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


def closed(properties: Schema, required: Iterable[str] = ()) -> Schema:
    """A mapping with these keys and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def needing(block: Schema, key: str) -> Schema:
    """The mapping, with one more key that must be there."""
    return {**block, "required": [*block["required"], key]}


def either(*forms: Schema) -> Schema:
    """Any of these."""
    return {"anyOf": list(forms)}


def ref(name: str) -> Schema:
    """What the definitions call by this name."""
    return {"$ref": f"#/$defs/{name}"}


def many(kind: str) -> Schema:
    """One use of a kind of plugin, or a list of them."""
    return either(ref(kind), {"type": "array", "items": ref(kind)})
