"""Tables of the page: escaped, sortable, with the reason of an empty cell a hover or a Tab away."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from kdbench.report.words import clean, interval, number

SHORTER = {"not applicable": "n/a"}
CHANCE = re.compile(r"(?:^|; )at chance \(")
USUAL = re.compile(r"\d+ seeds?(: checkpoint, examples vary)?")
"""A reason that a whole table shares, and no cell needs as its hover."""


@dataclass(frozen=True)
class Column:
    """A column. group: what the toggles call it; extra: hidden until all metrics are asked for."""

    title: str
    group: str = ""
    tip: str = ""
    number: bool = True
    extra: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell: a main text, small lines below it, `delta` with its meaning in words as `say`, and a mark
    (undefined, failed, ...) with its reason as `tip`. Without a delta, `say` is read out after the text. kind: a class of
    the style sheet.
    """

    text: str = ""
    sort: float | str | None = None
    small: str = ""
    delta: str = ""
    say: str = ""
    kind: str = ""
    mark: str = ""
    tip: str = ""


@dataclass(frozen=True)
class Row:
    """A row. The first cell is its heading; pinned rows stay on top."""

    cells: Sequence[Cell]
    pinned: bool = False


def grid(columns: Sequence[Column], rows: Iterable[Row], caption: str, *, tools: str = "", sortable: bool = True) -> Markup:
    """A table in a box that scrolls. tools: what its filter box filters, beside toggles by group of columns; "" for none."""
    rows = list(rows)
    groups = list(dict.fromkeys(c.group for c in columns if c.group))
    template = environment().get_template("table.html")
    return Markup(
        template.render(
            columns=columns, rows=rows, caption=clean(caption), tools=clean(tools, 30), groups=groups, sortable=sortable,
            extras=any(c.extra for c in columns), roomy=len(columns) <= 5, shorter=SHORTER,
            words=not any(c.number for c in columns),  # said once for the table, not in every cell
            aligned={i for row in rows for i, cell in enumerate(row.cells) if cell.delta},
        )
    )  # fmt: skip


def value_cell(row: object, *, small: str | None = None, delta: tuple[str, str, str] = ("", "", "")) -> Cell:
    """The cell of one row of scores or standings, with value, low, high and, where it has them, unit, status, reason.

    delta: (text, what it means, class), as `against_teacher` gives it.
    """
    unit, status, reason = getattr(row, "unit", "fraction"), getattr(row, "status", "ok"), clean(getattr(row, "reason", ""))
    value = getattr(row, "value", math.nan)
    if status in ("ok", "noisy", "partial") and not math.isnan(value):
        bounds = interval(getattr(row, "low", math.nan), getattr(row, "high", math.nan), unit) if small is None else small
        mark = "at chance" if status == "ok" and guessed(row) else "" if status == "ok" else status
        reason = "" if status == "ok" and USUAL.fullmatch(reason) else reason
        return Cell(number(value, unit), float(f"{value:.5g}"), bounds, *delta, mark, reason)
    return missing(status if status != "ok" else "undefined", reason)


def guessed(row: object) -> bool:
    """Whether the reason of a number says that it cannot be told from guessing."""
    return CHANCE.search(str(getattr(row, "reason", ""))) is not None


def absent(main: object) -> Cell:
    """A cell whose row does not exist: the reason is that of the contender's main number, where that is missing too."""
    if main is not None and math.isnan(getattr(main, "value", math.nan)) and getattr(main, "status", "ok") != "ok":
        return value_cell(main)
    return missing("not measured", "no evidence of this kind was asked for")


def missing(status: str, reason: str = "") -> Cell:
    """A cell without a number says what it is instead, and why."""
    return Cell(mark=clean(status, 24) or "undefined", tip=clean(reason) or "no reason was recorded")


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates of the assets folder, with autoescape."""
    return Environment(
        loader=FunctionLoader(asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def asset(name: str) -> str:
    """The text of a file of the assets folder."""
    return (files("kdbench.report") / "assets" / name).read_text(encoding="utf-8")
