"""A plugin as a suite names it: `ece`, `{ece: {bins: 10}}`, `{model: mlp, width: 64}`, `fairlearn:selection_rate` (the only
required text parameter of `fairlearn`); every parameter checked, or filled in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from kdbench.nouns import Json, Refusal, Use
from kdbench.registry import Plugins, nearest
from kdbench.signature import Description, Param
from kdbench.suite.cursor import Cursor
from kdbench.suite.kinds import Kind, describe, number, numeric, parse
from kdbench.suite.nodes import of
from kdbench.suite.schedules import schedule
from kdbench.suite.source import local

NOUNS = ("model", "dataset")
"""Kinds that may be written `{model: NAME, ...parameters}`."""

TAKEN: Mapping[str, tuple[str, ...]] = {
    "method": ("weight", "start", "stop"),
    "shift": ("severities",),
    "model": ("model", "fit", "train"),
    "dataset": ("dataset",),
}
"""Keys that stand beside the parameters of a kind, so that no parameter can have the name."""

_FILES = ("path", "file", "folder")


def use(cursor: Cursor, kind: str, plugins: Plugins, reserved: Collection[str] = ()) -> Use | None:
    """The plugin that this value names. reserved: keys beside the parameters that the caller reads itself."""
    if cursor.is_text():
        name, colon, value = str(cursor.node.value).partition(":")
        return _short(name, value, cursor, kind, plugins) if colon else filled(name, cursor, kind, plugins)
    if kind in NOUNS and kind in cursor:
        named = cursor[kind]
        if named.is_text():
            return filled(str(named.node.value), cursor, kind, plugins, (kind, *reserved))
        cursor.mapping((kind, *reserved))
        return use(named, kind, plugins)
    values = parameters(cursor, kind)
    return filled(next(iter(cursor)), values, kind, plugins, reserved) if values else None


def _short(name: str, value: str, cursor: Cursor, kind: str, plugins: Plugins) -> Use | None:
    """The plugin of `name:value`, where the value fills its only required parameter, a text."""
    try:
        described = plugins.get(kind, name)
        kinds = types(described)
    except Refusal as error:
        cursor.refuse(str(error))
        return None
    required = [param.name for param in described.params if param.required]
    if len(required) != 1 or not _textual(kinds[required[0]]):
        cursor.refuse(f"{name!r} does not have one required text parameter that {value!r} could be (allowed: {name!r})")
        return None
    given = of({required[0]: value.strip()}, cursor.node.where)
    return filled(name, cursor.put(given), kind, plugins)


def _textual(kind: Kind) -> bool:
    return kind.form == "str" or (kind.form == "choice" and all(isinstance(value, str) for value in kind.values))


def parameters(cursor: Cursor, kind: str) -> Cursor | None:
    """The mapping of parameters in `{name: {parameters}}`; None, and a line in the log, where it is not written so."""
    forms = f"the name of a {kind}, {{name: {{parameters}}}}" + (f" or {{{kind}: name, ...}}" if kind in NOUNS else "")
    if not cursor.mapping(what=forms):
        return None
    names = list(cursor)
    if len(names) != 1:
        cursor.refuse(f"found a mapping with {len(names)} keys (allowed: {forms})")
        return None
    values = cursor[names[0]]
    return values if values.mapping(what=f"a mapping of the parameters of {names[0]!r}") else None


def uses(cursor: Cursor, kind: str, plugins: Plugins) -> tuple[Use, ...]:
    """A list of plugins, without repetition."""
    result: list[Use] = []
    for element in cursor.elements(f"{kind} names, each NAME or {{NAME: {{parameters}}}}", single=True):
        one = use(element, kind, plugins)
        if one and one in result:
            element.refuse(f"{one.name} is given twice with the same parameters")
        elif one:
            result.append(one)
    return tuple(result)


def filled(name: str, values: Cursor, kind: str, plugins: Plugins, reserved: Collection[str] = ()) -> Use | None:
    """The plugin with the parameters that `values` gives (a bare name gives none), and the defaults of the rest."""
    try:
        described = plugins.get(kind, name)
        kinds = types(described)
    except Refusal as error:
        values.refuse(str(error))
        return None
    keys = (*kinds, *(key for key in reserved if key not in kinds))
    for key in values:
        if key not in keys:
            values.refuse_key(key, f"unknown key {key!r}{nearest(key, keys)}")
    return Use(name, {param.name: _value(values, param, kinds[param.name], described) for param in described.params})


def types(described: Description) -> dict[str, Kind]:
    """The kinds of a plugin's parameters. Raises Refusal, naming the file, for a parameter that a suite could not set."""
    result = {}
    for param in described.params:
        if param.name in TAKEN.get(described.kind, ()):
            raise Refusal(f"{described.path}: the parameter name {param.name!r} has another meaning in a suite; choose another")
        try:
            result[param.name] = parse(param.annotation)
        except ValueError as error:
            raise Refusal(f"{described.path}: parameter {param.name!r}: {error}") from None
    return result


def _value(values: Cursor, param: Param, kind: Kind, described: Description) -> Json:
    default: Json = None
    if not param.required:
        origin = f"{values.path}: {described.path}: default of {param.name!r}"
        default = values.put(of(param.default, values.node.where), origin).take(kind)
    if param.name not in values:
        if param.required:
            values.refuse(f"{described.kind} {described.name!r} needs the key {param.name!r} (allowed: {describe(kind)})")
        return default
    cursor = values[param.name]
    if described.kind == "method" and numeric(kind) and cursor.is_mapping():
        return schedule(cursor, number(kind))
    value: Json = cursor.take(kind)
    unchanged = not param.required and value == default
    return value if unchanged or not isinstance(value, str) else _text(cursor, param.name, value, described.kind)


def _text(cursor: Cursor, name: str, value: str, kind: str) -> str:
    """Paths become absolute; a dataset is never fetched from a URL."""
    if any(name == word or name.endswith(f"_{word}") for word in _FILES):
        return checkpoint(cursor, value) if kind == "tokenizer" else path(cursor, value)
    if kind == "dataset" and "://" in value:
        cursor.refuse("found a URL (allowed: names, and paths of local files)")
    return value


def path(cursor: Cursor, text: str) -> str:
    """The absolute path that a text of the suite names; relative ones start at the folder of the suite."""
    try:
        return local(text, cursor.base)
    except ValueError as error:
        cursor.refuse(str(error))
        return ""


_ELSEWHERE = re.compile(r"package:[\w.]+/[\w./-]+|[\w.-]+/[\w.-]+@[\w.-]+")


def checkpoint(cursor: Cursor, text: str) -> str:
    """The absolute path of what was made elsewhere; a folder in an installed package, and a hub id with its revision, stay as
    they are.
    """
    return text if _ELSEWHERE.fullmatch(text) else path(cursor, text)
