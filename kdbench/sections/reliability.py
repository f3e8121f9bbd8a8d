"""Whether a stated confidence of 80 % is right 8 times in 10."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

GREY, BLUE = "#8a8f98", "#0072b2"


@section(title="Reliability", order=40)
def reliability(scores: pd.DataFrame, standings: pd.DataFrame, curves: pd.DataFrame) -> str:
    """One small diagram a contender: share correct against mean confidence by bin, the teacher's curve behind it."""
    clean = (
        curves[(curves["curve"] == "reliability") & (curves["shift"] == "") & (curves["slice"] == "")] if len(curves) else curves
    )
    return str(kit.panels(scores, standings, lambda view: _draw(view, clean), "No reliability curve was asked for here."))


def _draw(view: Any, curves: pd.DataFrame) -> str:
    if curves.empty:
        return ""
    of = curves[(curves["task"] == view.task) & (curves["target"] == view.target) & curves["y"].notna()]
    of = of[of["metric"] == of["metric"].iloc[0]] if len(of) else of
    of = _one_seed(of)
    students = [c for c in kit.contenders(of) if c != "teacher"] if len(of) else []
    if not students:
        return ""
    metric = str(of["metric"].iloc[0])
    label = _labels(view, students, metric)
    parts = []
    for name in students:
        for who in ("teacher", name):
            part = of[of["contender"] == who].sort_values("x", kind="stable")
            parts.append(part[["x", "y", "n"]].assign(panel=label[name], who="teacher" if who == "teacher" else "contender"))
    frame = pd.concat(parts, ignore_index=True)
    says = f"{len(students)} reliability diagrams; below the diagonal is over-confident. Blue: contender; grey: teacher."
    shown = of[["contender", "x", "y", "n"]].set_axis(["Contender", "Mean confidence", "Share correct", "Rows"], axis=1)
    title = "Share correct against mean confidence (blue: contender, grey: teacher, dashed: calibrated; area: rows in the bin)"
    units = {"Mean confidence": "fraction", "Share correct": "fraction", "Rows": "count"}
    return str(kit.figure(_spec(frame, list(label.values())), title, says, shown, units))


def _one_seed(of: pd.DataFrame) -> pd.DataFrame:
    """The curve over seeds where there is one; else that of the first seed."""
    return of[of["seed"] == of["seed"].min()] if len(of) else of


def _labels(view: Any, students: list[str], metric: str) -> dict[str, str]:
    rows = {str(r.contender): r for r in kit.each(kit.measured(view.rows(metric=metric)))}
    short, out = kit.short(view.scores, 20), {}
    for name in students:
        row = rows.get(name)
        out[name] = short.get(name, kit.clean(name, 20)) + (
            f" \u00b7 {metric.split('{')[0].upper()} {kit.number(row.value, row.unit)}" if row is not None else ""
        )
    return out


def _spec(frame: pd.DataFrame, order: list[str]) -> Any:
    ticks = {"values": [0, 0.5, 1], "format": "~%"}
    x = {"field": "x", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": None, "axis": ticks}
    y = {"field": "y", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": None, "axis": ticks}
    who = {
        "field": "who",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["contender", "teacher"], "range": [BLUE, GREY]},
    }
    size = {"field": "n", "type": "quantitative", "legend": None, "scale": {"range": [8, 130]}}
    tip = [
        {"field": "who", "type": "nominal", "title": "of"},
        {"field": "x", "type": "quantitative", "title": "mean confidence", "format": ".1%"},
        {"field": "y", "type": "quantitative", "title": "share correct", "format": ".1%"},
        {"field": "n", "type": "quantitative", "title": "rows"},
    ]
    even = {"values": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]}
    return {
        "data": kit.values(frame),
        "facet": {"field": "panel", "type": "nominal", "sort": order, "title": None, "header": {"labelLimit": 220}},
        "columns": 4,
        "spacing": 22,
        "usermeta": {"cell": 170},
        "spec": {
            "width": 190,
            "height": 150,
            "layer": [
                {
                    "data": even,
                    "mark": {"type": "line", "strokeDash": [3, 3], "strokeWidth": 1, "color": GREY},
                    "encoding": {"x": x, "y": y},
                },
                {"mark": {"type": "line", "strokeWidth": 1.75}, "encoding": {"x": x, "y": y, "color": who}},
                {
                    "mark": {"type": "point", "filled": True, "opacity": 0.9},
                    "encoding": {"x": x, "y": y, "color": who, "size": size, "tooltip": tip},
                },
            ],
        },
    }
