"""How each number on the page is defined."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdbench import kit, section

HOW = "Many metrics share a name between tools. These are the definitions used here; unlike definitions never share a column."
BASE = re.compile(r"; of ([^:;]+): .*$")
WAYS = {"higher": "higher", "lower": "lower", "none": "neither"}


@section(title="How each number is defined", order=105)
def glossary(scores: pd.DataFrame, metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Every metric on the board: title and name, equation, convention, direction, unit, version and source."""
    shown = scores.drop_duplicates("metric")
    derived = shown["metric"].map(kit.derived).astype(bool)  # one line says what a gain is, whatever it is the gain of
    again = shown["metric"].str.split("{").str[0].duplicated()
    shown = shown[~(derived & again)]
    if shown.empty:
        return ""
    heads = ("Metric", "Definition", "Better", "Unit", "Range", "Version", "Source")
    rows = [_row(row, metrics.get(str(row.metric).split("{")[0], {})) for row in kit.each(shown)]
    keep = [i for i, _ in enumerate(heads) if any(row[i].text for row in rows)]
    columns = [kit.Column(heads[i], number=False) for i in keep]
    table = kit.grid(columns, [kit.Row([row[i] for i in keep]) for row in rows], "Metrics and their conventions", tools="metrics")
    return str(kit.how(HOW) + kit.Markup('<div class="glossary">{}</div>').format(table))


def _row(row: Any, facts: Mapping[str, Any]) -> list[Any]:
    equation, convention = str(facts.get("equation") or ""), str(row.convention or "")
    if not facts:  # derived from a metric that has a line of its own
        convention = BASE.sub(r"; of \1", convention)
    low, high = (facts.get(end) for end in ("low", "high"))
    ends = "" if low is None and high is None else f"{_end(low, 'below 0')} to {_end(high, 'any')}"
    return [
        kit.Cell(kit.clean(row.title or row.metric, 60), small=kit.clean(row.metric, 80)),
        kit.Cell(kit.clean(equation or convention, 400), small=kit.clean(convention, 400) if equation else ""),
        kit.Cell(WAYS.get(str(row.better), kit.clean(row.better, 20))),
        kit.Cell(kit.clean(row.unit, 30)),
        kit.Cell(ends),
        kit.Cell(kit.clean(kit.told(row, "version"), 10)),
        kit.Cell(kit.clean(facts.get("source") or "", 160)),
    ]


def _end(value: Any, none: str) -> str:
    return none if value is None else f"{float(value):g}".replace("-", "\u2212")
