"""`--set path=value`, and where in the tree of a suite a dotted path leads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from kdbench.nouns import Refusal
from kdbench.registry import nearest
from kdbench.suite.cursor import join
from kdbench.suite.kinds import found
from kdbench.suite.nodes import DEEPEST, Node, Where, compose
from kdbench.suite.source import unsafe

STEPS = ("start", "load", "fit", "compress")
NAMED_BY_USERS = ("tasks", "contenders")
"""Mappings whose keys are the user's: an unknown key on the way of a path is a slip, not a new entry."""


def override(root: Node, options: Sequence[str]) -> Node:
    """The tree with the values of `--set path=value` in it. Raises Refusal for a path that leads nowhere."""
    seen: dict[str, str] = {}
    for option in options:
        path, equals, text = option.partition("=")
        label = f"--set {ascii(option)[1:-1][:120]}"
        if not equals or not path.strip():
            raise Refusal(f"{label}: found no path=value (allowed: such as --set train.epochs=3)")
        path = path.strip()
        if seen.setdefault(path, text) != text:
            raise Refusal(f"{label}: {path} is set twice, to different values")
        if path.count(".") > DEEPEST or (bad := unsafe(option)):
            raise Refusal(f"{label}: {'the path is too deep' if path.count('.') > DEEPEST else bad[1] if bad else ''}")
        value = compose(text, _always(label))
        if value is None:
            raise Refusal(f"{label}: no value after '=' (allowed: a YAML value; null for none)")
        if path.startswith("tasks.") and isinstance(root.value, dict) and "tasks" not in root.value:
            raise Refusal(
                f"{label}: tasks: this suite is one task, without 'tasks' (allowed: the rest of the path, as in train.epochs)"
            )
        root = _put(root, path, value, "")
    return root


def _always(label: str) -> Where:
    return lambda _line, _column: label


def _put(node: Node, rest: str, value: Node, done: str) -> Node:
    """The tree with `value` at the path `rest` below `node`; all of `node` where there is no rest."""
    if not rest:
        return value
    if isinstance(node.value, dict):
        return _put_key(node, node.value, rest, value, done)
    if isinstance(node.value, tuple):
        index, below = _element(node.value, rest, value, done)
        path = done if below == rest else join(done, str(index))
        changed = _put(node.value[index], below, value, path)
        return Node((*node.value[:index], changed, *node.value[index + 1 :]), node.where)
    raise Refusal(f"{value.where}: {done}: found {found(node)}, which has no key {rest.split('.')[0]!r} (set {done} as a whole)")


def _put_key(node: Node, pairs: Mapping[str, Node], rest: str, value: Node, done: str) -> Node:
    key, below = _segment(pairs, rest)
    if below and key not in pairs and done.rpartition(".")[2] in NAMED_BY_USERS:
        raise Refusal(f"{value.where}: {join(done, key)}: no {key!r} in {done}{nearest(key, list(pairs))}")
    child = _put(pairs.get(key, Node({}, value.where)), below, value, join(done, key))
    where = value.where if key not in pairs or not below else node.keys[key]
    return Node({**pairs, key: child}, node.where, keys={**node.keys, key: where})


def _segment(keys: Mapping[str, Node], rest: str) -> tuple[str, str]:
    """The first key of a path and what follows it; a key may itself hold dots."""
    fits = [key for key in keys if rest == key or rest.startswith(f"{key}.")]
    key = max(fits, key=len) if fits else rest.partition(".")[0]
    return key, rest[len(key) + 1 :]


def _element(items: tuple[Node, ...], rest: str, value: Node, done: str) -> tuple[int, str]:
    """Which element of a list a path goes to, and what is left of the path below it.

    The element is named by its number, or by a key that it alone has; a list of one mapping needs neither.
    """
    head, _, below = rest.partition(".")
    if head.isdecimal() and head.isascii():
        if int(head[:9]) >= len(items):
            raise Refusal(f"{value.where}: {join(done, head)}: no such element (allowed: 0 to {len(items) - 1})")
        return int(head), below
    mappings = [(i, item.value) for i, item in enumerate(items) if isinstance(item.value, dict)]
    holders = [i for i, pairs in mappings if _segment(pairs, rest)[0] in pairs]
    if len(holders) == 1 or (len(items) == 1 and mappings):
        return (holders or [0])[0], rest
    keys = Counter(key for _, pairs in mappings for key in pairs)
    allowed = [*(key for key, count in keys.items() if count == 1), *map(str, range(len(items)))]
    what = "several elements have" if holders else "no element has"
    raise Refusal(f"{value.where}: {join(done, head)}: {what} the key {head!r}{nearest(head, allowed)}")


def locate(root: Node, path: Sequence[str | int]) -> tuple[str, str]:
    """Where a path of the records stands in the file, and how it is written there.

    Parts that the file leaves out are passed over: `tasks` and its name for a single task, defaults, the number of a step
    that its kind names.
    """
    node, where, shown, kind = root, root.where, "", ""
    for step in path:
        if isinstance(step, int) and isinstance(node.value, tuple) and step < len(node.value):
            kind = _kind(node.value, step)
            shown = shown if kind else join(shown, str(step))
            node = node.value[step]
            where = node.where
        elif isinstance(step, str) and isinstance(node.value, dict) and step in node.value:
            where, node, shown, kind = node.keys.get(step, node.where), node.value[step], join(shown, step), ""
            where = where if isinstance(node.value, dict | tuple) else node.where
    return where, join(shown, kind) if kind else shown


def _kind(steps: tuple[Node, ...], index: int) -> str:
    """The kind of a step where it is the only one of its kind among the steps, so that it names the step."""
    keys = [set(item.value) if isinstance(item.value, dict) else set() for item in steps]
    return next((kind for kind in STEPS if kind in keys[index] and sum(kind in held for held in keys) == 1), "")
