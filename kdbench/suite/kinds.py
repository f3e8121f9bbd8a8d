"""The types of values in a suite, read from the text of an annotation, such as `Positive | None` or `Literal["sgd", "adam"]`."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from kdbench.declare import RANGES, Range
from kdbench.nouns import Json
from kdbench.registry import nearest
from kdbench.suite.nodes import Node, scalar

_PLAIN: Mapping[str, type] = {"bool": bool, "str": str, "none": type(None)}

READABLE = (*RANGES, "float", "int", "bool", "str", "dict", "list[...]", "tuple[...]", "Literal[...]", "... | None")


@dataclass(frozen=True, slots=True)
class Kind:
    """A type. form: float, int, bool, str, none, any, choice (of `values`), list, tuple, dict, either (of `parts`)."""

    form: str
    range: Range = Range()
    values: tuple[Json, ...] = ()
    parts: tuple[Kind, ...] = ()


class Mismatch(Exception):
    """A value that is not of its kind. trail: the way from the value that was asked for to the part that is wrong."""

    def __init__(self, node: Node, text: str, trail: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.node = node
        self.text = text
        self.trail = trail


@cache
def parse(annotation: str) -> Kind:
    """The kind that an annotation names. Raises ValueError where it names none."""
    try:
        return _parse(ast.parse(annotation, mode="eval").body)
    except (SyntaxError, ValueError):
        raise ValueError(f"the type {annotation!r} cannot be read (allowed: {', '.join(READABLE)})") from None


def _parse(node: ast.expr) -> Kind:
    match node:
        case ast.Constant(value=None):
            return Kind("none")
        case ast.Constant(value=str(text)):
            return parse(text)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _named(name)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            sides = (_parse(left), _parse(right))
            return Kind("either", parts=tuple(p for side in sides for p in (side.parts if side.form == "either" else (side,))))
        case ast.Subscript(value=ast.Name(id=outer) | ast.Attribute(attr=outer), slice=inner):
            return _subscript(outer, list(inner.elts) if isinstance(inner, ast.Tuple) else [inner])
    raise ValueError


def _named(name: str) -> Kind:
    if name in RANGES:
        form, limits = RANGES[name]
        return Kind(form.__name__, limits)
    if name in {"float", "int", "bool", "str"}:
        return Kind(name)
    if name in {"list", "dict", "tuple"}:
        return Kind("list" if name == "tuple" else name, parts=(Kind("any"),))
    raise ValueError


def _subscript(outer: str, inner: list[ast.expr]) -> Kind:
    if outer == "Literal":
        return Kind("choice", values=tuple(ast.literal_eval(value) for value in inner))
    if outer == "Optional" and len(inner) == 1:
        return Kind("either", parts=(_parse(inner[0]), Kind("none")))
    if outer in {"dict", "Mapping"} and len(inner) == 2 and _parse(inner[0]).form == "str":
        return Kind("dict", parts=(_value(inner[1]),))
    variadic = outer == "tuple" and len(inner) == 2 and isinstance(inner[1], ast.Constant) and inner[1].value is ...
    if variadic or (outer in {"list", "Sequence"} and len(inner) == 1):
        return Kind("list", parts=(_value(inner[0]),))
    if outer == "tuple" and inner:
        return Kind("tuple", parts=tuple(_parse(part) for part in inner))
    raise ValueError


def _value(node: ast.expr) -> Kind:
    """The kind of the parts of a container, which alone may be anything."""
    return Kind("any") if isinstance(node, ast.Name) and node.id in {"Any", "Json", "object"} else _parse(node)


def numeric(kind: Kind) -> bool:
    """Whether a number is allowed, so that a schedule may stand for it."""
    return kind.form in {"float", "int"} or (kind.form == "either" and any(numeric(part) for part in kind.parts))


def number(kind: Kind) -> Kind:
    """The first kind of number that is allowed."""
    return kind if kind.form != "either" else next(part for part in kind.parts if numeric(part))


def convert(kind: Kind, node: Node) -> Any:
    """The value as plain JSON, whole numbers as floats where floats are asked for. Raises Mismatch."""
    value = node.value
    if kind.form == "either":
        return _either(kind, node)
    if kind.form in {"float", "int"} and isinstance(value, int | float) and not isinstance(value, bool):
        return _number(kind, node, value)
    if kind.form in _PLAIN and isinstance(value, _PLAIN[kind.form]):
        return value
    if kind.form == "choice" and any(value == one and type(value) is type(one) for one in kind.values):
        return value
    if kind.form == "any":
        return _anything(node)
    return _parts(kind, node)


def _parts(kind: Kind, node: Node) -> Any:
    """A container, part by part."""
    value = node.value
    if kind.form == "dict" and isinstance(value, dict):
        return {k: _part(kind.parts[0], v, k) for k, v in value.items()}
    if kind.form == "list" and isinstance(value, tuple):
        return [_part(kind.parts[0], v, str(i)) for i, v in enumerate(value)]
    if kind.form == "tuple" and isinstance(value, tuple) and len(value) == len(kind.parts):
        return [_part(part, v, str(i)) for i, (part, v) in enumerate(zip(kind.parts, value, strict=True))]
    raise Mismatch(node, _wrong(kind, node))


def _part(kind: Kind, node: Node, step: str) -> Any:
    try:
        return convert(kind, node)
    except Mismatch as error:
        error.trail = (step, *error.trail)
        raise


def _either(kind: Kind, node: Node) -> Any:
    deepest: Mismatch | None = None
    for part in kind.parts:
        try:
            return convert(part, node)
        except Mismatch as error:
            if error.trail:
                deepest = error
    raise deepest or Mismatch(node, _wrong(kind, node))


def _number(kind: Kind, node: Node, value: float) -> float:
    if kind.form == "int" and isinstance(value, float):
        raise Mismatch(
            node, _wrong(kind, node) + (f"; write {int(value)}" if math.isfinite(value) and value.is_integer() else "")
        )
    result = float(value) + 0.0 if kind.form == "float" else value
    low, high = kind.range.low, kind.range.high
    under = low is not None and (result <= low if kind.range.low_open else result < low)
    over = high is not None and (result >= high if kind.range.high_open else result > high)
    if under or over or not math.isfinite(result):
        raise Mismatch(node, _wrong(kind, node))
    return result


def _anything(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {k: _part(Kind("any"), v, k) for k, v in node.value.items()}
    if isinstance(node.value, tuple):
        return [_part(Kind("any"), v, str(i)) for i, v in enumerate(node.value)]
    if isinstance(node.value, float):
        return _number(Kind("float"), node, node.value)
    return node.value


def _wrong(kind: Kind, node: Node) -> str:
    """What was found, what is allowed, and what was probably meant."""
    forms = {part.form for part in (kind, *kind.parts)}
    values = [_word(v) for part in (kind, *kind.parts) for v in part.values]
    if isinstance(node.value, str) and values and forms <= {"choice", "none", "either"}:
        return f"found {found(node)}{nearest(node.value, values)}"
    hint = ""
    if isinstance(node.value, str) and forms & {"float", "int"} and _looks_like_a_number(node.value):
        hint = "; drop the quotes"
    elif isinstance(node.value, bool | int | float) and "str" in forms:
        hint = f"; quote it: '{node.written}'"
    return f"found {found(node)} (allowed: {describe(kind)}){hint}"


def _looks_like_a_number(text: str) -> bool:
    try:
        return isinstance(scalar(text), int | float)
    except ValueError:
        return False


def found(node: Node) -> str:
    """A value as an error names it: short, and with its type where that is the point."""
    if node.value is None:
        return "nothing (null)"
    if isinstance(node.value, str):
        return f"the text {node.value[:60]!r}" + ("..." if len(node.value) > 60 else "")
    if isinstance(node.value, tuple | dict):
        return "a mapping" if isinstance(node.value, dict) else "a list"
    return node.written or str(node.value)


def describe(kind: Kind) -> str:
    """What a kind allows, in words."""
    match kind.form:
        case "float" | "int":
            return _describe_number(kind)
        case "choice":
            return "one of " + ", ".join(map(_word, kind.values))
        case "either":
            return " or ".join(describe(part) for part in kind.parts)
        case "list":
            return "a list" if kind.parts[0].form == "any" else f"a list of: {describe(kind.parts[0])}"
        case "tuple":
            return f"a list of {len(kind.parts)}: " + ", ".join(describe(part) for part in kind.parts)
        case "dict":
            return "a mapping" if kind.parts[0].form == "any" else f"a mapping to: {describe(kind.parts[0])}"
    return {"bool": "true or false", "str": "text", "none": "null", "any": "anything"}[kind.form]


def _describe_number(kind: Kind) -> str:
    limits, name = kind.range, "a number" if kind.form == "float" else "a whole number"
    low = f"{'above' if limits.low_open else 'from'} {limits.low:g}" if limits.low is not None else ""
    high = f"{'below' if limits.high_open else 'at most'} {limits.high:g}" if limits.high is not None else ""
    return " ".join(part for part in (name, low, "and" if low and high else "", high) if part)


def _word(value: Json) -> str:
    return "''" if value == "" else str(value)
