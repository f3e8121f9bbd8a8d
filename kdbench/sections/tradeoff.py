"""What is paid in quality for what is won in speed."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from kdbench import kit, section

HOW = (
    "No other contender is both better and cheaper than one on the Pareto front: the front is what there is to choose from. "
    "P(on the front): in how many of the resamples of examples and seeds a row is on it."
)
WAY = re.compile(r"(\S+) (above|below|of) (\S+) \(by (\S+)\)")


@section(title="Quality against latency", order=30)
def tradeoff(scores: pd.DataFrame, standings: pd.DataFrame, pareto: pd.DataFrame, *, cost: str = "latency_ratio") -> str:
    """The metric of the standings against `cost`, with both intervals; how surely each contender is on the Pareto front, and
    what it would take to join.
    """
    none = f"No {cost} was measured here, so there is no trade-off to show."
    drawn = kit.panels(scores, standings, lambda view: _draw(view, cost) + _fronts(view, pareto), none)
    return str(kit.how(HOW) + drawn) if drawn else ""


def _fronts(view: Any, pareto: pd.DataFrame) -> str:
    """One table for each set of axes: who is on the front, with its probability, and what would put the others there."""
    of = kit.of_view(pareto, view)
    if of.empty:
        return ""
    label = kit.short(view.scores, 40)
    out = []
    for axes, part in of.groupby("axes", sort=False):
        columns = [kit.Column("Contender", number=False), kit.Column("On the front", number=False)]
        columns += [kit.Column("P(on the front)"), kit.Column("What it would take to join", number=False)]
        rows = [kit.Row(_line(row, label, view)) for row in kit.each(part)]
        names = ", ".join(_named(view, name) for name in str(axes).replace("/", ",").split(","))
        out.append(kit.Markup("<h4>Pareto front of {}</h4>").format(names) + kit.grid(columns, rows, f"Pareto front of {names}"))
    return "".join(map(str, out))


def _named(view: Any, axis: str) -> str:
    """The title of a metric where the board has it; else the text as it stands."""
    rows = view.rows(metric=axis.strip())
    return str(kit.clean(kit.titled(next(kit.each(rows))) if len(rows) else axis, 60))


def _way(view: Any, text: str) -> str:
    """What it would take to join, with titles and units: "Accuracy above 98.9 % (by 0.6 pp)"."""

    def said(found: re.Match[str]) -> str:
        rows = view.rows(metric=found[1])
        unit = str(rows["unit"].iloc[0]) if len(rows) else ""
        goal, step = kit.number(float(found[3]), unit), kit.difference(float(found[4]), unit).lstrip("+")
        by = "by any amount" if float(found[4]) == 0 else f"by {step}"
        return f"{_named(view, found[1])} {found[2]} {goal} ({by})"

    return WAY.sub(said, text)


def _line(row: Any, label: dict[str, str], view: Any) -> list[Any]:
    chance, on = float(kit.told(row, "p_front", float("nan"))), bool(kit.told(row, "front", False))
    name = str(row.contender)
    return [
        kit.Cell(label.get(name, kit.clean(name, 40))),
        kit.Cell("\u25c6 yes" if on else "no", kind="verdict good" if on else ""),
        kit.Cell(kit.number(chance, "fraction") or "\u2013", None if chance != chance else round(chance, 6)),
        kit.Cell(kit.clean(_way(view, kit.told(row, "join")), 200) or "\u2013", kind="long"),
    ]


def _draw(view: Any, cost: str) -> str:
    quality, price = kit.measured(view.rows(metric=view.primary)), kit.measured(view.rows(metric=cost))
    columns = ["contender", "value", "low", "high", "status"]
    both = quality[columns].merge(price[columns], on="contender", suffixes=("", "_cost"))
    if both.empty:
        return ""
    unit, price_unit = str(quality["unit"].iloc[0]), str(price["unit"].iloc[0])
    label, order = kit.short(view.scores), list(kit.short(view.scores).values())
    higher = quality["better"].iloc[0] != "lower"
    front = _front(both, higher=higher)
    frame = _points(both, label, front, (unit, price_unit))
    titles = (kit.titled(next(kit.each(quality))), kit.titled(next(kit.each(price))))
    best = ", ".join(label[c] for c in both.loc[front, "contender"])
    says = f"{titles[0]} against {titles[1]}, {len(both)} points; on the Pareto front: {best}."
    shown = frame[["who", "quality", "price"]].assign(front=["yes" if f != "no" else "no" for f in frame["front"]])
    shown = shown.set_axis(["Contender", *titles, "On the front"], axis=1)
    gone = [label[c] for c in label if c in set(view.scores["contender"]) - set(both["contender"])]
    rest = kit.note("Not in the picture, because one of the two numbers is missing: " + ", ".join(gone) + ".") if gone else ""
    spec = _spec(frame, order, (kit.axis_title(titles[0], unit), kit.axis_title(titles[1], price_unit)), (unit, price_unit))
    title = f"{titles[0]} by {titles[1]}: {'up' if higher else 'down'} and left is better, the dashed line is the Pareto front"
    return str(kit.figure(spec, title, says, shown) + rest)


def _points(both: pd.DataFrame, label: dict[str, str], front: list[int], units: tuple[str, str]) -> pd.DataFrame:
    """One row a point. front: "no", or the side with room for the name; without an interval its ends are the point."""
    far = float(both["value_cost"].max()) / 2
    rows = [
        {
            "who": label[r.contender],
            "x": r.value_cost,
            "x1": r.value_cost if pd.isna(r.low_cost) else r.low_cost,
            "x2": r.value_cost if pd.isna(r.high_cost) else r.high_cost,
            "y": r.value,
            "y1": r.value if pd.isna(r.low) else r.low,
            "y2": r.value if pd.isna(r.high) else r.high,
            "front": "no" if r.Index not in front else "left" if r.value_cost > far else "right",
            "quality": kit.stated(r.value, r.low, r.high, units[0]),
            "price": kit.stated(r.value_cost, r.low_cost, r.high_cost, units[1]),
        }
        for r in kit.each(both)
    ]
    return pd.DataFrame(rows)


def _front(both: pd.DataFrame, *, higher: bool) -> list[int]:
    """Rows that no other row beats in both numbers, from cheap to dear."""
    sign = 1.0 if higher else -1.0
    out, best = [], float("-inf")
    ordered = both.assign(rank=sign * both["value"]).sort_values(["value_cost", "rank"], ascending=[True, False], kind="stable")
    for row in kit.each(ordered):
        if row.rank > best:
            out.append(int(row.Index))
            best = row.rank
    return out


def _spec(frame: pd.DataFrame, order: list[str], titles: tuple[str, str], units: tuple[str, str]) -> Any:
    wide = bool((frame["x"] > 0).all()) and float(frame["x"].max() / frame["x"].min()) > 4
    scale = {"type": "log", "nice": False, "padding": 24} if wide else {"zero": False, "padding": 24}
    x = {"field": "x", "type": "quantitative", "title": titles[1], "scale": scale, "axis": {**kit.axis(units[1]), "tickCount": 6}}
    roomy = {"zero": False, "padding": 16}
    y = {"field": "y", "type": "quantitative", "title": titles[0], "scale": roomy, "axis": kit.axis(units[0])}
    here = [w for w in order if w in set(frame["who"])]
    legend = {"title": None, "symbolSize": 90, "labelLimit": 200}
    who = {"field": "who", "type": "nominal", "legend": legend}
    colour, shape = {**who, "scale": kit.look(order, "color", here)}, {**who, "scale": kit.look(order, "shape", here)}
    fade = {"condition": {"param": "pick", "value": 1}, "value": 0.12}
    thin = {"condition": {"param": "pick", "value": 0.55}, "value": 0.06}
    tip = [
        {"field": f, "type": "nominal", "title": kit.tip_title(t)}
        for f, t in (("who", "contender"), ("quality", titles[0]), ("price", titles[1]))
    ]
    on_front = {"filter": {"field": "front", "oneOf": ["left", "right"]}}
    rule = {"type": "rule", "strokeWidth": 1.25}
    point = {"type": "point", "filled": True, "size": 110}
    name = {"type": "text", "fontSize": 12, "fontWeight": 600, "dy": -10}
    left, right = ({**name, "align": "right", "dx": -8}, "left"), ({**name, "align": "left", "dx": 8}, "right")
    line = {"type": "line", "interpolate": "step-after", "color": "#8a8f98", "strokeDash": [4, 3]}
    pick = {"name": "pick", "select": {"type": "point", "fields": ["who"]}, "bind": "legend"}
    tall = {"x": x, "y": {**y, "field": "y1"}, "y2": {"field": "y2"}, "color": colour, "opacity": thin}
    broad = {"x": {**x, "field": "x1"}, "x2": {"field": "x2"}, "y": y, "color": colour, "opacity": thin}
    spot = {"x": x, "y": y, "color": colour, "shape": shape, "opacity": fade, "tooltip": tip}
    named = {"x": x, "y": y, "text": {"field": "who"}}
    return {
        "data": kit.values(frame),
        "width": "container",
        "height": 400,
        "layer": [
            {"transform": [on_front], "mark": line, "encoding": {"x": x, "y": y}},
            {"mark": rule, "encoding": tall},
            {"mark": rule, "encoding": broad},
            {"params": [pick], "mark": point, "encoding": spot},
            *(
                {"transform": [{"filter": {"field": "front", "equal": side}}], "mark": mark, "encoding": named}
                for mark, side in (left, right)
            ),
        ],
    }
