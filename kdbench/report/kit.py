"""What a section of the report is built from. Sections reach it as `from kdbench import kit`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from kdbench.report.figures import Spec, as_json, axis, axis_title, dots, figure, lines, look, plain, series, tip_title, values
from kdbench.report.pick import (
    View,
    contenders,
    derived,
    each,
    facing,
    measured,
    over_seeds,
    place,
    short,
    stating,
    titled,
    views,
    why_apart,
)
from kdbench.report.tables import Cell, Column, Row, absent, grid, guessed, missing, value_cell
from kdbench.report.words import clean, count, difference, interval, labels, number, plural, ranks, stated, unit_title


def panels(scores: pd.DataFrame, standings: pd.DataFrame, draw: Callable[[View], str], empty: str) -> Markup:
    """`draw` for each task on each target, in boxes that the page shows or hides; where it draws nothing, `empty` says so.

    Nothing at all where it draws nothing anywhere: the page then leaves the section out.
    """
    tasks = {t: i for i, t in enumerate(scores["task"].unique())}
    targets = {t: i for i, t in enumerate(t for t in scores["target"].unique() if t)}
    made = [(view, Markup(draw(view) or "")) for view in views(scores, standings)]
    if not any(drawn for _, drawn in made):
        return Markup("")
    out = Markup("")
    for view, drawn in made:
        names = clean(view.task, 80), clean(view.target or "all targets", 80)
        out += box((tasks[view.task], targets.get(view.target, "")), names, drawn or note(empty))
    return out


def box(place: tuple[object, object], names: tuple[str, str], inner: Markup) -> Markup:
    """What the page shows for one task and one target. place: their numbers, "" for all of them; names: their titles."""
    head = Markup("{} <span>on {}</span>").format(*names) if all(names) else Markup(escape("".join(names)))
    head = Markup("<h3>{}</h3>").format(head) if head else Markup("")
    return Markup('<div class="panel" data-task="{}" data-target="{}">{}{}</div>').format(*place, head, inner)


def note(text: object) -> Markup:
    """A quiet paragraph."""
    return Markup('<p class="note">{}</p>').format(text if isinstance(text, Markup) else clean(text, 2000))


def findings(lines: Iterable[object]) -> Markup:
    """Sentences as a list, escaped unless they are markup already. "" where there are none."""
    items = Markup("").join(Markup("<li>{}</li>").format(line) for line in lines)
    return Markup('<ul class="findings">{}</ul>').format(items) if items else Markup("")


def how(text: object) -> Markup:
    """The sentence below a heading that says how to read a section."""
    return Markup('<p class="how">{}</p>').format(text if isinstance(text, Markup) else clean(text, 1000))


def fold(title: object, inner: str) -> Markup:
    """Details on demand: closed at first, and not printed."""
    return Markup('<details class="more"><summary>{}</summary>{}</details>').format(clean(title, 200), Markup(inner))


def against_teacher(row: object, unit: str = "") -> tuple[str, str, str]:
    """The paired difference to the teacher: (text, in a word, class). Filled marks only where the interval excludes 0."""
    delta, low, high = (float(getattr(row, name, math.nan)) for name in ("delta", "delta_low", "delta_high"))
    better = getattr(row, "better", "higher")
    if math.isnan(delta):
        return "", "", ""
    text = difference(delta, unit or getattr(row, "unit", "fraction"))
    if math.isnan(low) or math.isnan(high):
        return text, "without an interval", "level"
    if not (low > 0 or high < 0):
        return f"\u2248 {text}", "not separable", "level"
    if better == "none":
        return text, "different", "level"
    good = (delta > 0) == (better == "higher")
    return (f"\u25b2 {text}", "better", "good") if good else (f"\u25bc {text}", "worse", "bad")


def name_cell(name: object, small: str = "") -> Cell:
    """The heading of a contender's row."""
    shown = clean(name, 40)
    return Cell(shown, None, small, tip=clean(name) if shown != clean(name) else "")


COST = ("latency", "memory", "energy", "compute", "size", "cost")
"""Axes of what is paid: their numbers stand beside the teacher's as a share of them."""
KEY = ("metric", "shift", "severity", "slice")
BOUND = re.compile(r"(?:^|; )at (least|most)[: (]")


def by_contender(view: View, rows: pd.DataFrame, caption: str, head: Callable[[Any], str] = titled, *, none: str = "") -> Markup:
    """A table of numbers: a line for each contender, a column for each metric (and shift, severity, slice) of `rows`.

    head: the title of a column, from one of its rows; its convention is the hover; none: what stands for a row that is not
    there, else that it was not measured. "" where there are no rows.
    """
    columns, held = [Column("Contender", number=False)], []
    for _, part in rows.groupby(list(KEY), sort=False):
        first = next(each(part))
        columns.append(Column(clean(head(first), 60), tip=clean(f"{first.metric}: {first.convention}", 400)))
        held.append({str(r.contender): r for r in each(part)})
    out = []
    for name, label in short(view.scores, 40).items():
        if any(name in of for of in held):
            cells = [Cell(none) if none and name not in of else cell_of(of.get(name)) for of in held]
            out.append(Row([Cell(label), *cells], pinned=name == "teacher"))
    return grid(columns, out, f"{caption}: {view.task} on {view.target or 'all targets'}") if out else Markup("")


def cell_of(row: Any) -> Cell:
    """The cell of one row of the scores, with its difference to the teacher; of no row, that it was not measured.

    Of what is paid (latency, memory, size, ...) the share of the teacher's; of the training record nothing beside it.
    """
    if row is None:
        return absent(None)
    if row.contender == "teacher" or row.axis in ("export", "training"):
        return bounded(value_cell(row), row)
    if row.axis in COST:
        share = row.value / row.teacher if row.teacher and row.unit != "ratio" else math.nan
        said = number(share, "ratio")
        return bounded(value_cell(row, delta=(said, "the teacher's", "level") if said else ("", "", "")), row)
    return value_cell(row, delta=against_teacher(row))


def bounded(cell: Cell, row: Any) -> Cell:
    """The cell with a sign before a count that its own reason calls a lower or an upper bound."""
    sign = bound(row)
    return replace(cell, text=f"{sign}\u202f{cell.text}") if sign and cell.text else cell


def bound(row: Any) -> str:
    """`\u2265` or `\u2264` where the reason of a count of operations says that it is at least, or at most, so much; else ""."""
    found = BOUND.search(str(row.reason)) if row.axis == "compute" else None
    return "" if found is None else {"least": "\u2265", "most": "\u2264"}[found[1]]


def without_number(rows: pd.DataFrame) -> Markup:
    """A note that names the metrics of which no row has a number, each with its first reason."""
    lost = rows[~rows["metric"].isin(measured(rows)["metric"])].drop_duplicates("metric")
    said = "; ".join(f"{clean(titled(row), 60)} ({clean(row.reason, 160)})" for row in each(lost))
    return note(f"Without a number here: {said}.") if said else Markup("")


def of_view(table: pd.DataFrame, view: View) -> pd.DataFrame:
    """The rows of a table by task and target that belong to a view; no rows of an empty table."""
    if table.empty:
        return table
    for name, wanted in (("task", [view.task, ""]), ("target", [view.target, ""])):
        table = table.loc[table[name].isin(wanted)] if name in table else table
    return table


def told(row: object, name: str, default: Any = "") -> Any:
    """A cell of a table that may lack the column, or hold nothing there."""
    value = getattr(row, name, default)
    return default if value is None or (not isinstance(value, Sequence) and pd.isna(value)) else value


__all__ = [
    "Cell", "Column", "Markup", "Row", "Spec", "View", "absent", "against_teacher", "as_json", "axis", "axis_title", "bound",
    "bounded", "box", "by_contender", "cell_of", "clean", "contenders", "count", "derived", "difference", "dots", "each",
    "escape", "facing", "figure", "findings", "fold", "grid", "guessed", "how", "interval", "labels", "lines", "look",
    "measured", "missing", "name_cell", "note", "number", "of_view", "over_seeds", "panels", "place", "plain", "plural",
    "ranks", "series", "short", "stated", "stating", "tip_title", "titled", "told", "unit_title", "value_cell", "values",
    "views", "why_apart", "without_number",
]  # fmt: skip
