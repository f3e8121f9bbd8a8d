"""A place in a suite that is being read: its value, its dotted path, and the list of what is wrong so far."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdbench.registry import nearest
from kdbench.suite.kinds import Kind, Mismatch, convert, describe, found
from kdbench.suite.nodes import Node


@dataclass(frozen=True, slots=True)
class Cursor:
    """log: one line for every error, shared by all cursors of one suite. base: the folder that relative paths start from."""

    node: Node
    path: str
    log: list[str]
    base: Path

    def refuse(self, text: str) -> None:
        """Note that something is wrong here; reading goes on, to find the rest."""
        self.log.append(_line(self.node.where, self.path, text))

    def refuse_key(self, key: str, text: str) -> None:
        """Note that something is wrong with a key of this mapping."""
        self.log.append(_line(self.node.keys.get(key, self.node.where), join(self.path, key), text))

    def __contains__(self, key: str) -> bool:
        return isinstance(self.node.value, dict) and key in self.node.value

    def __iter__(self) -> Iterator[str]:
        return iter(self.node.value if isinstance(self.node.value, dict) else ())

    def __getitem__(self, key: str) -> Cursor:
        assert isinstance(self.node.value, dict)
        return Cursor(self.node.value[key], join(self.path, key), self.log, self.base)

    def is_text(self) -> bool:
        """Whether the value is text."""
        return isinstance(self.node.value, str)

    def is_mapping(self) -> bool:
        """Whether the value is a mapping."""
        return isinstance(self.node.value, dict)

    def mapping(self, allowed: Collection[str] | None = None, what: str = "a mapping") -> bool:
        """Check that this is a mapping, and that its keys are allowed (None: any)."""
        if not isinstance(self.node.value, dict):
            self.refuse(f"found {found(self.node)} (allowed: {what})")
            return False
        for key in self:
            if allowed is not None and key not in allowed:
                self.refuse_key(key, f"unknown key {key!r}{nearest(key, list(allowed))}")
        return True

    def elements(self, what: str, *, single: bool = False) -> list[Cursor]:
        """The elements of a list; a lone text counts as a list of one where `single` says so."""
        if single and self.is_text():
            return [self]
        if not isinstance(self.node.value, tuple):
            self.refuse(f"found {found(self.node)} (allowed: a list of {what}, such as [...])")
            return []
        return [Cursor(node, join(self.path, str(i)), self.log, self.base) for i, node in enumerate(self.node.value)]

    def take(self, kind: Kind) -> Any:
        """The value, checked and converted; None, and a line in the log, where it is not of the kind."""
        try:
            return convert(kind, self.node)
        except Mismatch as error:
            self.log.append(_line(error.node.where, ".".join((self.path, *error.trail)), error.text))
            return None

    def missing(self, key: str, kind: Kind) -> None:
        """Note that a key which has no default is not given."""
        self.refuse(f"the key {key!r} is missing (allowed: {describe(kind)})")

    def put(self, node: Node, path: str | None = None) -> Cursor:
        """A cursor to another value, such as a plugin's default, that reports to the same list."""
        return Cursor(node, self.path if path is None else path, self.log, self.base)


def join(path: str, key: str) -> str:
    """A dotted path, one key longer."""
    return f"{path}.{key}" if path else key


def _line(where: str, path: str, text: str) -> str:
    return f"{where}: {path}: {text}" if path else f"{where}: {text}"
