"""The block `compare` of a suite: how contenders are compared. It is read when evidence is judged, and is in no key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kdbench.judge.axes import Axis, axes, named
from kdbench.nouns import Compare, Suite
from kdbench.registry import Plugins, nearest
from kdbench.suite.blocks import COMPARE, given
from kdbench.suite.cursor import Cursor

Found = Iterator[tuple[tuple[str | int, ...], str]]


def compared(cursor: Cursor) -> Compare:
    """The record of the block; what is wrong with its structure goes to the log of the cursor."""
    if not cursor.mapping(COMPARE, what=f"a mapping with {', '.join(COMPARE)}"):
        return Compare()
    settings: dict[str, Any] = given(cursor, COMPARE)
    settings["pareto"] = tuple(settings.get("pareto") or ())
    return Compare(**settings)


def comparison(at: tuple[str | int, ...], suite: Suite, plugins: Plugins) -> Found:
    """What is wrong with the block beside the rest of the suite: (path, text) each."""
    held, asked = axes(suite, plugins), suite.compare
    if asked.metric:
        yield from _directed((*at, "metric"), asked.metric, held)
    rows = list(dict.fromkeys(row.name for task in suite.tasks for row in task.contenders))
    if asked.base and asked.base not in rows:
        yield (*at, "base"), f"{asked.base!r} is not a contender of this suite{nearest(asked.base, rows)}"
    if len(asked.pareto) == 1:
        yield (*at, "pareto"), "found 1 metric (allowed: at least two, or none for the default)"
    seen: dict[str, str] = {}
    for i, name in enumerate(asked.pareto):
        yield from _directed((*at, "pareto", i), name, held)
        axis = named(name, held)
        if axis is not None and seen.setdefault(axis.id, name) != name:
            yield (*at, "pareto", i), f"{name!r} is the same metric as {seen[axis.id]!r} (allowed: each metric once)"
        elif axis is not None and name in asked.pareto[:i]:
            yield (*at, "pareto", i), f"the metric {name!r} is given twice"


def _directed(at: tuple[str | int, ...], name: str, held: tuple[Axis, ...]) -> Found:
    axis = named(name, held)
    allowed = list(dict.fromkeys(n for one in held if one.ranks for n in (one.name, one.id)))
    if axis is None:
        yield at, f"{name!r} is not among the axes of this suite{nearest(name, allowed)}"
    elif not axis.ranks:
        why = "has no direction" if axis.better == "none" else f"compares {axis.form} and has no number for each seed"
        yield at, f"{name!r} {why}, so it cannot rank (allowed: {', '.join(allowed) or 'none'})"
