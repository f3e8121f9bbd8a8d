"""Where operations do not predict time: the share of the teacher's operations against the share of its time."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from kdbench import kit

COUNTS = ("operations", "flops")
FAR = 1.5
"""A row is named when its time is off its operations by this factor, at the end of the interval that is nearer to them."""
CROWDED = 0.3
"""Two points closer than this, in natural logarithms, would have their names on top of each other."""


def picture(view: Any) -> Any:
    """Log-log, with the diagonal on which a model would lie whose time follows its operations; far rows are named in words.

    "" where no contender has both numbers.
    """
    frame, metric = _points(view)
    if frame.empty:
        return ""
    label = list(kit.short(view.scores).values())
    title = kit.titled(next(kit.each(view.rows(metric=metric))))
    what = str(kit.clean(title, 40))
    head = f"{what} against time, both as shares of the teacher's: on the dashed line the time follows the {_lower(what)}"
    far = frame[frame["far"] != ""]
    says = f"Latency ratio against ratio of {what} for {len(frame)} contenders; {len(far)} far from the diagonal."
    heads = ["Contender", f"{what} / teacher", "Latency / teacher", "Time per operation"]
    shown = frame[["who", "ops", "time", "off"]].set_axis(heads, axis=1)
    none = f"No row is surely off the line by {FAR:g} times or more: within that, the {_lower(what)} predict the time."
    said = kit.findings(f"{line}." for line in _said(far, _lower(what))[:8]) or kit.note(none)
    bounds = [f"{r.who} ({r.ops})" for r in kit.each(frame[frame["bound"] != ""])]
    more = kit.note(f"Counts that are bounds only: {', '.join(bounds)}.") if bounds else kit.Markup("")
    drawn = kit.figure(_spec(frame, label, what), head, says, shown)
    return kit.Markup("<h4>Do the {} predict the time?</h4>").format(_lower(what)) + said + drawn + more


def _said(far: pd.DataFrame, names: str) -> list[str]:
    """One sentence for all rows with equally many operations on one side of the line: often one network trained in many ways."""
    out = []
    for (_, ops), of in far.sort_values("x", kind="stable").groupby(["far", "ops"], sort=False):
        who = [*of["who"][:3], *([f"{len(of) - 3} more"] if len(of) > 3 else [])]
        many = f"{', '.join(who[:-1])} and {who[-1]} have" if len(who) > 1 else f"{who[0]} has"
        ends = [kit.number(float(end), "ratio") for end in (of["y"].min(), of["y"].max())]
        time = kit.interval(of["y"].min(), of["y"].max(), "ratio") or ends[0]
        out.append(f"{many} {ops} the {names} and {time} the time")
    return out


def _lower(name: str) -> str:
    return name if name[:2].isupper() else name[:1].lower() + name[1:]


def _points(view: Any) -> tuple[pd.DataFrame, str]:
    """One row a contender with both numbers: of all operations where integers are multiplied, else of FLOPs."""
    label, ratio = kit.short(view.scores), kit.measured(view.rows(metric="latency_ratio"))
    known = {m: kit.measured(view.rows(metric=m)) for m in COUNTS}
    metric = max(COUNTS, key=lambda m: len(known[m]))
    count = {str(r.contender): r for r in kit.each(known[metric])}
    teacher, out = count.get("teacher"), []
    for row in kit.each(ratio[ratio["contender"] != "teacher"]):
        of = count.get(str(row.contender))
        if of is None or teacher is None or min(of.value, teacher.value, row.value) <= 0:
            continue
        out.append(_point(label[str(row.contender)], row, of, teacher))
    return pd.DataFrame(out), metric


def _point(who: str, ratio: Any, count: Any, teacher: Any) -> dict[str, Any]:
    x, y = count.value / teacher.value, ratio.value
    low, high = (y if pd.isna(end) or end <= 0 else end for end in (ratio.low, ratio.high))
    far = "above" if low / x >= FAR else "below" if high / x <= 1 / FAR else ""
    mark, other = kit.bound(count), kit.bound(teacher)
    mark = mark if not other else "" if mark else {"\u2265": "\u2264", "\u2264": "\u2265"}[other]
    if mark and {"\u2265": "above", "\u2264": "below"}[mark] == far:
        far = ""  # the true count may lie on the line
    said = f"{mark}\u202f{kit.number(x, 'ratio')}" if mark else kit.number(x, "ratio")
    return {
        "who": who, "x": x, "y": y, "y1": low, "y2": high, "far": far, "bound": mark, "ops": said,
        "time": kit.stated(y, ratio.low, ratio.high, "ratio"), "off": kit.number(y / x, "ratio"),
    }  # fmt: skip


def _spec(frame: pd.DataFrame, names: list[str], what: str) -> Any:
    ends = [*frame["x"], *frame["y1"], *frame["y2"], 1.0]
    low, high = 0.8 * min(ends), 1.25 * max(ends)
    scale = {"type": "log", "domain": [low, high], "nice": False}
    steps = {**kit.axis("ratio"), "values": _ticks(low, high)}
    x = {"field": "x", "type": "quantitative", "title": f"{what} / teacher", "scale": scale, "axis": steps}
    y = {"field": "y", "type": "quantitative", "title": "Latency / teacher", "scale": scale, "axis": steps}
    here = [w for w in names if w in set(frame["who"])]
    who = {"field": "who", "type": "nominal", "legend": {"title": None, "symbolSize": 90, "labelLimit": 200}}
    colour, shape = ({**who, "scale": kit.look(names, channel, here)} for channel in ("color", "shape"))
    tip = [
        {"field": f, "type": "nominal", "title": kit.tip_title(t)}
        for f, t in (("who", "contender"), ("ops", f"{what} / teacher"), ("time", "Latency / teacher"))
    ]
    fade = {"condition": {"param": "pick", "value": 1}, "value": 0.12}
    pick = {"name": "pick", "select": {"type": "point", "fields": ["who"]}, "bind": "legend"}
    line = {"values": [{"x": low, "y": low}, {"x": high, "y": high}]}
    dashed = {"type": "line", "strokeDash": [5, 4], "color": "#8a8f98"}
    drawn = frame[["who", "x", "y", "y1", "y2", "ops", "time"]].assign(far=_named(frame))
    texts = [
        ({"type": "text", "fontSize": 12, "fontWeight": 600, **place}, {"filter": f"datum.far === {side!r} && {cut}"})
        for side, dy in (("above", -12), ("below", 16))
        for cut, place in (
            (f"datum.x < {math.sqrt(low * high):.6g}", {"align": "left", "dx": -4, "dy": dy}),
            (f"datum.x >= {math.sqrt(low * high):.6g}", {"align": "right", "dx": 4, "dy": dy}),
        )
    ]
    return {
        "data": kit.values(drawn),
        "width": "container",
        "height": 380,
        "layer": [
            {"data": line, "mark": dashed, "encoding": {"x": x, "y": y}},
            {"mark": {"type": "rule", "strokeWidth": 1.25},
             "encoding": {"x": x, "y": {**y, "field": "y1"}, "y2": {"field": "y2"}, "color": colour, "opacity": fade}},
            {"params": [pick], "mark": {"type": "point", "filled": True, "size": 110},
             "encoding": {"x": x, "y": y, "color": colour, "shape": shape, "opacity": fade, "tooltip": tip}},
            *({"transform": [cut], "mark": mark, "encoding": {"x": x, "y": y, "text": {"field": "who"}}} for mark, cut in texts),
        ],
    }  # fmt: skip


def _named(frame: pd.DataFrame) -> list[str]:
    """The side on which a name stands beside a far point: of points in one place the first alone, the words have the others."""
    seen: list[tuple[float, float]] = []
    out = []
    for row in kit.each(frame):
        here = math.log(row.x), math.log(row.y)
        near = any(abs(here[0] - x) + abs(here[1] - y) < CROWDED for x, y in seen)
        out.append("" if near or not row.far else row.far)
        seen += [here] if out[-1] else []
    return out


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten between the ends; every power alone where there are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 300 else (1,)
    return [float(f"{step}e{p}") for p in powers for step in steps if low <= step * 10.0**p <= high]
