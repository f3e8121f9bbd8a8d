"""What a section of the report is built from. Sections reach it as `from kdbench import kit`."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
from markupsafe import Markup, escape

from kdbench.report.figures import Spec, as_json, axis, axis_title, dots, figure, look, plain, values
from kdbench.report.pick import View, contenders, each, measured, over_seeds, place, short, titled, views
from kdbench.report.tables import Cell, Column, Row, absent, grid, missing, value_cell
from kdbench.report.words import clean, count, difference, interval, labels, number, plural, ranks, stated, unit_title


def panels(scores: pd.DataFrame, standings: pd.DataFrame, draw: Callable[[View], str], empty: str) -> Markup:
    """`draw` for each task on each target, in boxes that the page shows or hides; where it draws nothing, `empty` says so."""
    tasks = {t: i for i, t in enumerate(scores["task"].unique())}
    targets = {t: i for i, t in enumerate(t for t in scores["target"].unique() if t)}
    box = Markup('<div class="panel" data-task="{}" data-target="{}"><h3>{} <span>on {}</span></h3>{}</div>')
    out = Markup("")
    for view in views(scores, standings):
        drawn = draw(view) or note(empty)
        names = clean(view.task, 80), clean(view.target or "all targets", 80)
        out += box.format(tasks[view.task], targets.get(view.target, ""), *names, Markup(drawn))
    return out


def note(text: object) -> Markup:
    """A quiet paragraph."""
    return Markup('<p class="note">{}</p>').format(text if isinstance(text, Markup) else clean(text, 2000))


def against_teacher(row: object, unit: str = "") -> tuple[str, str, str]:
    """The paired difference to the teacher: (text, in words, class). Filled marks only where the interval excludes 0."""
    delta, low, high = (float(getattr(row, name, math.nan)) for name in ("delta", "delta_low", "delta_high"))
    better = getattr(row, "better", "higher")
    if math.isnan(delta):
        return "", "", ""
    text = difference(delta, unit or getattr(row, "unit", "fraction"))
    if better == "none":
        return text, "different from the teacher", "level"
    if not (low > 0 or high < 0):
        return f"\u2248 {text}", "not separable from the teacher", "level"
    good = (delta > 0) == (better == "higher")
    return (f"\u25b2 {text}", "better than the teacher", "good") if good else (f"\u25bc {text}", "worse than the teacher", "bad")


def name_cell(name: object, small: str = "") -> Cell:
    """The heading of a contender's row."""
    shown = clean(name, 40)
    return Cell(shown, None, small, tip=clean(name) if shown != clean(name) else "")


__all__ = [
    "Cell", "Column", "Markup", "Row", "Spec", "View", "absent", "against_teacher", "as_json", "axis", "axis_title", "clean",
    "contenders", "count", "difference", "dots", "each", "escape", "figure", "grid", "interval", "labels", "look", "measured",
    "missing", "name_cell", "note", "number", "over_seeds", "panels", "place", "plain", "plural", "ranks", "short", "stated",
    "titled", "unit_title", "value_cell", "values", "views",
]  # fmt: skip
