"""Figures of the page: a Vega-Lite specification, a sentence for those who do not see it, and the data as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from kdbench.report.tables import Cell, Column, Row, grid
from kdbench.report.words import clean, number

Spec = dict[str, Any]

# Okabe and Ito's palette without black and yellow, which vanish in one of the two themes
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
SHAPES = ("circle", "square", "triangle-up", "cross", "triangle-down", "triangle-right")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 1], [1, 3])
TEACHER = "#8a8f98"


def figure(
    spec: Any, title: str, says: str, data: pd.DataFrame, units: Mapping[str, str] | None = None, *, open_table: bool = False
) -> Markup:
    """A chart with its caption and its numbers. open_table: show the numbers at once.

    spec: a Vega-Lite specification, or an Altair chart. A faceted one gives the least width of a cell as `usermeta.cell`.
    says: one sentence, read out in place of the picture. units: column of `data` -> unit.
    """
    spec = spec if isinstance(spec, dict) else spec.to_dict()
    head = '<figure><figcaption>{}</figcaption><div class="chart" role="img" aria-label="{}"></div>'
    script = Markup('<script type="application/json">{}</script>').format(Markup(as_json(spec)))
    table = Markup("<details{}><summary>Numbers of this figure</summary>{}</details></figure>")
    table = table.format(" open" if open_table else "", plain(data, title, units or {}))
    return Markup(head).format(clean(title), clean(says, 600)) + script + table


def plain(data: pd.DataFrame, caption: str, units: Mapping[str, str]) -> Markup:
    """A frame as a table of the page."""
    columns = [Column(str(c), number=bool(pd.api.types.is_numeric_dtype(data[c]))) for c in data.columns]
    rows = [
        Row([_cell(value, units.get(str(name), "")) for name, value in zip(data.columns, row, strict=True)])
        for row in data.itertuples(index=False, name=None)
    ]
    return grid(columns, rows, caption)


def as_json(value: object) -> str:
    """JSON that no HTML parser takes for markup, and no script for a line end. What is not finite becomes null."""
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode("utf-8", "backslashreplace").decode()


def values(frame: pd.DataFrame) -> Spec:
    """The rows of a frame as the data of a chart, floats to five significant digits."""
    return {"values": [{str(k): _short(v) for k, v in row.items()} for row in frame.to_dict("records")]}


def series(frame: pd.DataFrame, by: Sequence[str]) -> Spec:
    """The rows of a frame as the data of a chart, one object for each group of the columns `by`: a third of the text of `values`.

    Gives `data` and the `transform` that takes them apart again.
    """
    rest = [str(c) for c in frame.columns if c not in by]
    held = []
    for key, part in frame.groupby(list(by), sort=False):
        head = {name: _short(value) for name, value in zip(by, key, strict=True)}
        held.append({**head, **{name: [_short(v) for v in part[name].tolist()] for name in rest}})
    return {"data": {"values": held}, "transform": [{"flatten": rest}]}


def look(names: Sequence[str], channel: str, seen: Container[str] | None = None) -> Spec:
    """The scale that gives each contender its colour, shape or dash, the same in all figures of a task; the teacher is grey.

    names: all labels of the board, in its order; channel: color, shape or strokeDash; seen: those that this figure shows.
    """
    choices: Mapping[str, tuple[Any, Sequence[Any]]] = {
        "color": (TEACHER, COLOURS),
        "shape": ("diamond", SHAPES),
        "strokeDash": ([1, 0], DASHES),
    }
    first, cycle = choices[channel]
    step = 1 if channel == "color" else len(COLOURS)
    rest = [n for n in names if n != "teacher"]
    given = {"teacher": first} | {n: cycle[i // step % len(cycle)] for i, n in enumerate(rest)}
    shown = [n for n in names if seen is None or n in seen]
    return {"domain": shown, "range": [given[n] for n in shown]}


def axis(unit: str) -> Spec:
    """How the numbers of a unit stand along an axis."""
    if unit == "fraction":  # the room above 100 % carries no label
        return {"format": "~%", "labelExpr": "datum.value > 1.0001 ? '' : datum.label"}
    if unit == "ratio":
        return {"format": "~g", "labelExpr": "datum.label ? datum.label + '\u00d7' : ''"}
    return {"format": "~g" if unit in ("nats", "logits", "score") else "~s"}


def axis_title(title: str, unit: str) -> str:
    """The title of an axis with its unit, where the labels do not show it."""
    return clean(title, 60) + (f" ({clean(unit, 20)})" if unit not in ("fraction", "ratio", "count", "score", "") else "")


def tip_title(text: object) -> str:
    """A title inside a tooltip: Vega-Lite puts it into an expression, in which a backslash would escape what follows it."""
    return clean(text, 60).replace("\\", "\\\\")


def dots(frame: pd.DataFrame, order: Sequence[str], x: Spec, by: Spec | None = None) -> Spec:
    """Values with their intervals, one line a contender. frame: who, value, low, high, shown and, with `by`, part.

    x: the x channel; by: the colour channel that tells the parts of a line from each other.
    """
    frame = frame.assign(low=frame["low"].fillna(frame["value"]), high=frame["high"].fillna(frame["value"]))
    y: Spec = {"field": "who", "type": "nominal", "sort": [w for w in order if w in set(frame["who"])], "title": None}
    ink: Spec = {"color": {"field": "who", "type": "nominal", "scale": look(order, "color", set(frame["who"])), "legend": None}}
    if by:
        parts = by["scale"]["domain"]
        shapes = {"domain": parts, "range": [SHAPES[i % len(SHAPES)] for i in range(len(parts))]}
        ink = {"yOffset": {"field": "part", "type": "nominal"}, "color": by, "shape": {**by, "scale": shapes}}
    named = (("who", "contender"), ("part", "of"), ("shown", "value"))
    tip = [{"field": f, "type": "nominal", "title": t} for f, t in named if f in frame]
    rule = {k: v for k, v in ink.items() if k != "shape"}
    line, point = (
        {"type": "rule", "strokeWidth": 1.5, "opacity": 0.7},
        {"type": "point", "filled": True, "size": 55, "opacity": 1},
    )
    return {
        "data": values(frame),
        "width": "container",
        "height": (10 * max(1, frame["part"].nunique()) + 10 if by else 22) * frame["who"].nunique() + 4,
        "layer": [
            {"mark": line, "encoding": {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}, **rule}},
            {"mark": point, "encoding": {"y": y, "x": {**x, "field": "value"}, "tooltip": tip, **ink}},
        ],
    }


def lines(frame: pd.DataFrame, order: Sequence[str], x: Spec, y: Spec, rule: float = math.nan) -> Spec:
    """One line a contender; a click on the legend picks one. frame: who, x, y; x, y: their channels without a field.

    rule: a height at which a dashed line crosses the picture, NaN for none.
    """
    here = [w for w in order if w in set(frame["who"])]
    legend = {"title": None, "symbolType": "stroke", "symbolStrokeWidth": 2, "symbolSize": 420, "labelLimit": 180}
    who: Spec = {"field": "who", "type": "nominal", "legend": legend}
    across, up = {"type": "quantitative", **x, "field": "x"}, {"type": "quantitative", **y, "field": "y"}
    fade = {"condition": {"param": "pick", "value": 1}, "value": 0.1}
    shared = {"x": across, "y": up, "color": {**who, "scale": look(order, "color", here)}, "opacity": fade}
    dash = {"strokeDash": {**who, "scale": look(order, "strokeDash", here)}}
    tip = [{"field": "who", "type": "nominal", "title": "contender"}]
    for field, channel in (("x", x), ("y", y)):
        form = {"format": ".1%"} if channel.get("axis", {}).get("format") == "~%" else {"format": ".3~g"}
        tip.append({"field": field, "type": "quantitative", "title": tip_title(channel.get("title") or field), **form})
    pick = {"name": "pick", "select": {"type": "point", "fields": ["who"]}, "bind": "legend"}
    level = {
        "data": {"values": [{"y": rule}]},
        "mark": {"type": "rule", "strokeDash": [5, 4], "strokeWidth": 1.5, "color": TEACHER},
    }
    return {
        **series(frame[["who", "x", "y"]], ["who"]),
        "width": "container",
        "height": 300,
        "layer": [
            *([{**level, "encoding": {"y": up}}] if math.isfinite(rule) else []),
            {"mark": {"type": "line", "strokeWidth": 2}, "params": [pick], "encoding": {**shared, **dash}},
            {"mark": {"type": "point", "filled": True, "size": 16}, "encoding": {**shared, "tooltip": tip}},
        ],
    }


def _cell(value: object, unit: str) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(number(value, unit), None if math.isnan(value) else float(value))
    return Cell(clean(value, 120))


def _short(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value if isinstance(value, int | bool) or value is None else clean(value, 200)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
