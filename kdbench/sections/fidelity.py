"""How far a contender does as the teacher does, right or wrong."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

HOW = (
    "Fidelity is likeness to the teacher, not quality: a flip is negative where only the teacher was right, positive where only "
    "the contender is. Hover over a heading for what exactly is counted."
)
FLIPS = ("negative_flips", "positive_flips")
COLOURS = ("#d55e00", "#009e73")


@section(title="Fidelity to the teacher", order=40)
def fidelity(scores: pd.DataFrame, standings: pd.DataFrame) -> str:
    """Every metric of the axis fidelity, and the decisions that changed, by whether that was for the better."""
    drawn = kit.panels(scores, standings, _draw, "Nothing was compared with a teacher's answers here.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _draw(view: Any) -> str:
    rows = view.axis("fidelity")
    rows = rows[rows["contender"] != "teacher"]
    if rows.empty:
        return ""
    return _flips(view, rows) + str(kit.by_contender(view, rows, "Fidelity to the teacher"))


def _flips(view: Any, rows: pd.DataFrame) -> str:
    """Losses to the left, gains to the right; their difference is the difference in accuracy."""
    found = {name: kit.measured(rows[rows["metric"].str.split("{").str[0] == name]) for name in FLIPS}
    if any(part.empty for part in found.values()):
        return ""
    label = kit.short(view.scores)
    held: dict[str, dict[str, Any]] = {n: {str(r.contender): r for r in kit.each(part)} for n, part in found.items()}
    lost, won = (held[name] for name in FLIPS)
    both = [name for name in label if name in lost and name in won]
    signs = ((-1, lost, "negative flips"), (1, won, "positive flips"))
    bars = [
        {"who": label[name], "x": sign * float(of[name].value), "kind": kind, "shown": _stated(of[name])}
        for name in both
        for sign, of, kind in signs
    ]
    net = [kit.difference(float(won[n].value - lost[n].value), "fraction") for n in both]
    shown = pd.DataFrame({"Contender": [label[n] for n in both], "Negative flips": [_stated(lost[n]) for n in both]})
    shown = shown.assign(**{"Positive flips": [_stated(won[n]) for n in both], "Net": net})
    says = f"Negative and positive flips of {len(both)} contenders; their net is the difference to the teacher's accuracy."
    title = "Decisions that turned wrong (left) and right (right) against the teacher, of all rows"
    return str(kit.figure(_spec(bars, [label[n] for n in both]), title, says, shown))


def _stated(row: Any) -> str:
    return str(kit.stated(row.value, row.low, row.high, "fraction"))


def _spec(bars: list[dict[str, Any]], order: list[str]) -> Any:
    kinds = list(dict.fromkeys(b["kind"] for b in bars))
    y = {"field": "who", "type": "nominal", "sort": order, "title": None}
    labels = "format(abs(datum.value), '~%')"
    x = {"field": "x", "type": "quantitative", "title": "Share of all rows", "axis": {"labelExpr": labels, "tickCount": 7}}
    legend = {"title": None, "orient": "top", "labelLimit": 300, "columns": 2}
    colour = {"field": "kind", "type": "nominal", "scale": {"domain": kinds, "range": list(COLOURS)}, "legend": legend}
    tip = [{"field": f, "type": "nominal", "title": t} for f, t in (("who", "contender"), ("kind", "flips"), ("shown", "share"))]
    zero = {"data": {"values": [{"x": 0}]}, "mark": {"type": "rule", "color": "#8a8f98"}, "encoding": {"x": x}}
    return {
        "data": kit.values(pd.DataFrame(bars)),
        "width": "container",
        "height": 22 * len(order) + 4,
        "layer": [{"mark": {"type": "bar", "size": 12}, "encoding": {"y": y, "x": x, "color": colour, "tooltip": tip}}, zero],
    }
