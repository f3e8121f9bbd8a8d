"""What is paid in quality for what is won in speed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section


@section(title="Quality against latency", order=30)
def tradeoff(scores: pd.DataFrame, standings: pd.DataFrame, *, cost: str = "latency_ratio") -> str:
    """The metric of the standings against `cost`, with both intervals and the Pareto front of the point estimates."""
    none = f"No {cost} was measured here, so there is no trade-off to show."
    return str(kit.panels(scores, standings, lambda view: _draw(view, cost), none))


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
    who = {"field": "who", "type": "nominal", "sort": here, "legend": legend}
    colour, shape = {**who, "scale": kit.look(order, "color", here)}, {**who, "scale": kit.look(order, "shape", here)}
    fade = {"condition": {"param": "pick", "value": 1}, "value": 0.12}
    thin = {"condition": {"param": "pick", "value": 0.55}, "value": 0.06}
    tip = [
        {"field": f, "type": "nominal", "title": t}
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
