"""What a plugin file declares, read from its text: the file is not imported."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Param:
    """One keyword-only argument: its annotation as text, and its default (`required` where there is none)."""

    name: str
    annotation: str
    default: Any = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """All that a plugin file declares. evidence: its positional arguments; companions: its other top-level functions;
    code: the hash of its source.
    """

    kind: str
    name: str
    path: Path
    origin: str
    module: str
    doc: str
    evidence: tuple[str, ...]
    params: tuple[Param, ...]
    facts: Mapping[str, Any]
    companions: frozenset[str]
    code: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin file, package or entry point that cannot be used, and why."""

    kind: str
    name: str
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin file seen in a folder, not yet read. private: the files `_name.py` beside it, which it may use."""

    kind: str
    name: str
    path: Path
    origin: str
    module: str
    private: tuple[Path, ...] = ()

    def changed(self) -> tuple[int, ...]:
        """When these files were changed: what was read before holds while this stays."""
        return tuple(path.stat().st_mtime_ns for path in (self.path, *self.private))


@cache
def describe(found: Found, _changed: tuple[int, ...]) -> Description | Problem:
    """Read a plugin file that was changed at these times; what is wrong with it is a Problem, not an exception."""
    try:
        source = found.path.read_bytes()
        tree = ast.parse(source)
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        if found.name not in functions:
            raise ValueError(f"has no function named {found.name!r}")
        node = functions[found.name]
        return Description(
            found.kind,
            found.name,
            found.path,
            found.origin,
            found.module,
            ast.get_docstring(node) or ast.get_docstring(tree) or "",
            tuple(arg.arg for arg in (*node.args.posonlyargs, *node.args.args)),
            tuple(_params(node)),
            _facts(node, found.kind),
            frozenset(functions) - {found.name},
            _code(found, source),
        )
    except (OSError, SyntaxError, ValueError) as error:
        return Problem(found.kind, found.name, found.origin, f"cannot be read: {str(error).splitlines()[0][:200]}")


def _code(found: Found, source: bytes) -> str:
    """The hash of a plugin: its file, and the private files beside it."""
    return hashlib.sha256(b"\0".join((source, *(path.read_bytes() for path in found.private)))).hexdigest()


def _params(node: ast.FunctionDef) -> Iterator[Param]:
    if node.args.vararg or node.args.kwarg:
        raise ValueError(f"line {node.lineno}: *args and **kwargs declare no parameters; name them")
    for arg, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if arg.annotation is None:
            raise ValueError(f"line {arg.lineno}: parameter {arg.arg!r} has no type")
        value = None if default is None else _literal(default, f"default of {arg.arg!r}")
        yield Param(arg.arg, ast.unparse(arg.annotation), value, default is None)


def _facts(node: ast.FunctionDef, kind: str) -> Mapping[str, Any]:
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        named = call.func if call else decorator
        if (isinstance(named, ast.Name) and named.id == kind) or (isinstance(named, ast.Attribute) and named.attr == kind):
            keywords = call.keywords if call else []
            return {k.arg: _literal(k.value, f"@{kind}({k.arg}=...)") for k in keywords if k.arg}
    raise ValueError(f"line {node.lineno}: {node.name} is not decorated with @{kind}(...)")


def _literal(node: ast.expr, what: str) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f"line {node.lineno}: the {what} must be a literal") from None
