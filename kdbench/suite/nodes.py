"""From YAML text to a tree of values that know where they stand.

The parser's events are read one by one, without recursion, and only plain YAML 1.2 is let through: one document, no
anchors, aliases, merge keys or tags, so that a file means what it shows and cannot grow when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from kdbench.nouns import Json, Refusal
from kdbench.suite.source import LONGEST, control_name, invisible

DEEPEST = 32
MOST = 20_000
LONGEST_KEY = 256

Where: TypeAlias = Callable[[int, int], str]

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?\.(inf|Inf|INF))|\.(nan|NaN|NAN)")
_TRAP = re.compile(r"[-+]?0[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+")


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a suite: a scalar, a tuple of nodes, or a dict of nodes. where: "file:line:column"; written: a scalar as
    it stands in the file; keys: where each key of a mapping stands.
    """

    value: None | bool | int | float | str | tuple[Node, ...] | dict[str, Node]
    where: str
    written: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been seen. key: the key that waits for its value."""

    where: str
    items: list[Node] = field(default_factory=list)
    pairs: dict[str, Node] | None = None
    keys: dict[str, str] = field(default_factory=dict)
    key: str | None = None

    def node(self) -> Node:
        return Node(tuple(self.items) if self.pairs is None else self.pairs, self.where, keys=self.keys)

    def add(self, node: Node) -> None:
        if self.pairs is None:
            self.items.append(node)
        elif self.key is None:
            self.key = _key(node)
            if self.key in self.keys:
                raise Refusal(f"{node.where}: the key {self.key!r} is given twice; first at {self.keys[self.key]}")
            self.keys[self.key] = node.where
        else:
            nothing = node.value is None and not node.written  # the parser places it after the next line break
            self.pairs[self.key] = Node(None, self.keys[self.key]) if nothing else node
            self.key = None


def compose(text: str, where: Where) -> Node | None:
    """The tree of one YAML document, or None where there is none. where: line and column (from 1) to the text of a place."""
    stack: list[_Open] = []
    root: Node | None = None
    if text.count(",") > MOST:  # known without parsing, which would take seconds
        raise Refusal(f"{where(1, 1)}: more than {MOST} values; is the file generated?")
    for count, event in enumerate(_events(text, where)):
        place = where(event.start_mark.line + 1, event.start_mark.column + 1)
        if count > 2 * MOST:
            raise Refusal(f"{place}: more than {MOST} values; is the file generated?")
        done = _step(event, place, stack, root)
        if done is None:
            continue
        if stack:
            stack[-1].add(done)
        else:
            root = done
    return root


def of(value: Json, where: str) -> Node:
    """A plain Python value (a default, a published recipe) as a tree, so that it passes the same checks as a suite's."""
    if isinstance(value, Mapping):
        pairs = {str(k): of(v, where) for k, v in value.items()}
        return Node(pairs, where, keys=dict.fromkeys(pairs, where))
    if isinstance(value, list | tuple):
        return Node(tuple(of(v, where) for v in value), where)
    return Node(value, where, str(value))


def scalar(text: str) -> None | bool | int | float | str:
    """What a plain scalar means in the core schema of YAML 1.2.

    Raises ValueError for a number that other readers of YAML read otherwise (010, 0x10), and for one that is too large.
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _TRAP.fullmatch(text):
        raise ValueError(
            f"{text} is read as different numbers by different programs; write it in decimal, or quote it if it is text"
        )
    if _INT.fullmatch(text):
        if len(text) > 18:
            raise ValueError("a whole number of more than 18 digits")
        return int(text)
    if _FLOAT.fullmatch(text) or _SPECIAL.fullmatch(text):
        return float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").lower().replace(".nan", "nan"))
    return text


def _events(text: str, where: Where) -> Iterator[Any]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except Refusal:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = where(mark.line + 1, mark.column + 1) if mark else where(1, 1)
        what = ": ".join(part for part in (error.context, error.problem) if part)
        raise Refusal(f"{place}: not YAML: {' '.join(what.split())[:200]}") from None
    except Exception as error:  # the parser is not ours and the text may be anything: whatever it raises, the file is to blame
        raise Refusal(f"{where(1, 1)}: not YAML: {type(error).__name__}") from None


def _step(event: Any, place: str, stack: list[_Open], root: Node | None) -> Node | None:
    """Take one event; gives the node that it completes."""
    at = f"{place}: {_path(stack)}"
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
        raise Refusal(f"{at}anchors and aliases (& and *) are not allowed; write the value out")
    if isinstance(event, DocumentStartEvent):
        if root is not None:
            raise Refusal(f"{at}a second document; a suite file holds one (remove '---')")
        if event.version or event.tags:
            raise Refusal(f"{at}directives (%YAML, %TAG) are not allowed")
    if getattr(event, "tag", None) is not None:
        raise Refusal(f"{at}tags (!...) are not allowed; write plain values")
    if isinstance(event, SequenceStartEvent | MappingStartEvent):
        if len(stack) >= DEEPEST:
            raise Refusal(f"{at}nested more than {DEEPEST} deep")
        if stack and stack[-1].pairs is not None and stack[-1].key is None:
            raise Refusal(f"{at}a key must be text, not a list or mapping")
        stack.append(_Open(place, pairs={} if isinstance(event, MappingStartEvent) else None))
        return None
    if isinstance(event, SequenceEndEvent | MappingEndEvent):
        return stack.pop().node()
    return _scalar(event, place, at) if isinstance(event, ScalarEvent) else None


def _path(stack: list[_Open]) -> str:
    """The dotted path of what comes next, with a colon; deep ones end in dots."""
    keys = [str(len(level.items)) if level.pairs is None else level.key for level in stack]
    shown = [key for key in keys if key is not None]
    return ".".join((*shown[:8], *(["..."] if len(shown) > 8 else []))) + (": " if shown else "")


def _scalar(event: Any, place: str, at: str) -> Node:
    text = str(event.value)
    if len(text) > LONGEST:
        raise Refusal(f"{at}a value of more than {LONGEST} characters")
    if event.implicit[0]:
        try:
            return Node(scalar(text), place, text)
        except ValueError as error:
            raise Refusal(f"{at}{error}") from None
    hidden = invisible(text)
    if hidden:
        raise Refusal(f"{at}the text holds {control_name(hidden)}")
    return Node(text, place)


def _key(node: Node) -> str:
    if node.written == "<<":
        raise Refusal(f"{node.where}: merge keys (<<) are not allowed; write the values out")
    if not isinstance(node.value, str):
        raise Refusal(f"{node.where}: the key {node.written or 'null'} is not text; quote it: '{node.written}'")
    if len(node.value) > LONGEST_KEY or "\n" in node.value:
        raise Refusal(f"{node.where}: a key of more than {LONGEST_KEY} characters or several lines")
    return node.value
