"""A metric as people read it in a terminal: what it is, in which direction, from what, and by whose definition."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kdbench.cli.terminal import clean
from kdbench.declare import METRIC_FACTS
from kdbench.judge import requires
from kdbench.signature import Description

AXES = (
    "quality", "fidelity", "calibration", "selective", "robustness", "ood", "bias",
    "latency", "memory", "energy", "compute", "size", "cost", "export", "training",
)  # fmt: skip
"""The order in which metrics are listed."""
DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "none": "no direction"}
FORMS = {
    "mean": "from means over the examples",
    "set": "of a whole set of examples",
    "groups": "compares the groups of each group column",
    "seeds": "reads the predictions of all seeds at once",
    "frame": "a library compares the groups of each group column",
    "measured": "from a measurement, not from examples",
}
NEEDS = {
    "decisions": "decisions are enough",
    "probabilities": "probabilities are needed",
    "logits": "logits are needed",
    "values": "values of a regression are needed",
}
SAID = ("predictions", "teacher", "validation", "teacher_validation", "ood")
"""The evidence of which a metric says how much it must tell."""
WIDE = 100
"""Columns where the output is no terminal."""


def facts_of(one: Description) -> Mapping[str, Any]:
    """The facts of a metric, with those that hold where its file says nothing."""
    standard: dict[str, Any] = {"form": "mean", "axis": "quality", **METRIC_FACTS, **one.facts}
    return standard | {"title": standard["title"] or one.name}


def in_order(one: Description) -> tuple[int, str, str]:
    """Where a metric stands in a list: by axis, then by name."""
    axis = str(facts_of(one)["axis"])
    return (AXES.index(axis) if axis in AXES else len(AXES), axis, one.name)


def in_short(one: Description) -> str:
    """`calibration  lower is better   ECE`: the axis of a metric, its direction, and how its column is headed."""
    facts = facts_of(one)
    direction = DIRECTIONS.get(str(facts["better"]), "")
    return f"{facts['axis']!s:<{_wide(AXES)}}  {direction:<{_wide(DIRECTIONS.values())}}  {facts['title']}"


def _wide(words: Iterable[str]) -> int:
    return max(map(len, words))


def sections(one: Description) -> Iterator[tuple[str, list[str]]]:
    """(heading, lines) of what defines a metric: equation, facts, convention, source."""
    facts = facts_of(one)
    stated = str(facts["equation"]).split("; ") if facts["equation"] else ["not stated"]
    yield "equation", [line for part in stated for line in wrapped(part, hang=2)]
    rows = list(_facts(one, facts))
    far = max(len(name) for name, _ in rows)
    yield "facts", [line for name, text in rows for line in wrapped(f"{name:<{far}}  {text}", hang=far + 2)]
    for name in ("convention", "source"):
        yield name, wrapped(str(facts[name]) or "not stated")


def _facts(one: Description, facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "title", str(facts["title"])
    yield "direction", DIRECTIONS.get(str(facts["better"]), str(facts["better"]))
    yield "range", span(facts["low"], facts["high"])
    yield "unit", str(facts["unit"])
    yield "axis", str(facts["axis"])
    yield "reads", _reads(one, str(facts["reads"]))
    yield "form", f"{facts['form']}: {FORMS.get(str(facts['form']), '')}".rstrip(": ")
    if facts["undefined"]:
        yield "undefined", str(facts["undefined"])
    yield "version", str(facts["version"])


def _reads(one: Description, least: str) -> str:
    """The evidence, and the least that predictions must say of an example."""
    asked = requires(one)
    named = [name for name in one.evidence if name in asked]
    text = ", ".join(named) or "nothing"
    return f"{text}; {NEEDS.get(least, least)}" if set(named) & set(SAID) else text


def span(low: float | None, high: float | None) -> str:
    """A range as in mathematics: `[0, 1]`, `[0, inf)`, `(-inf, inf)`."""
    left = "(-inf" if low is None else f"[{low:.4g}"
    return f"{left}, inf)" if high is None else f"{left}, {high:.4g}]"


def room() -> int:
    """The columns there are: of the terminal, between 40 and 120; WIDE where there is none."""
    columns = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else WIDE
    return min(max(columns or WIDE, 40), 120)


def wrapped(text: str, hang: int = 0) -> list[str]:
    """Lines that fit, indented by two; those after the first by `hang` more. Words are never broken."""
    indent = {"initial_indent": "  ", "subsequent_indent": " " * (2 + hang)}
    return textwrap.wrap(clean(text), room(), **indent, break_long_words=False, break_on_hyphens=False)  # type: ignore[arg-type]
