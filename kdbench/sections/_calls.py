"""Absolute times: how the calls of each contender were spread, what they were taken under, and what was thrown out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit

from ._slices import scenario_title

SIDES = ("contender", "teacher")
UNITS = ((1e6, "s"), (1e3, "ms"), (1.0, "\u00b5s"))
QUANTILES = [f"q{share}" for share in range(0, 101, 5)]
HONEST = (
    "Of all timed rows the answers of the timed calls were those that are scored, the same when asked again and in any batch, "
    "and inputs never seen before took as long as the repeated one: nobody answered from memory."
)


def failed(view: Any) -> pd.DataFrame:
    """The rows without a ratio because something went wrong, in any scenario."""
    rows: pd.DataFrame = view.rows(metric="latency_ratio", slice=None)
    return rows.loc[rows["status"].isin(["failed", "skipped"])]


def picture(view: Any, calls: pd.DataFrame) -> Any:
    """Every twentieth of the calls of each contender and of the teacher beside it, on one logarithmic axis."""
    label = kit.short(view.scores)
    label |= kit.labels(n for n in calls["contender"].unique() if n not in label)
    order = [w for n, w in label.items() if n in set(calls["contender"])]
    sides = calls.assign(who=[label[str(c)] for c in calls["contender"]], part=[_side(r) for r in calls["role"]])
    long = sides.melt(["who", "part"], QUANTILES, value_name="x").sort_values(["who", "part", "x"], kind="stable")
    scale, unit = next((one for one in UNITS if float(calls["q50"].median()) >= one[0]), UNITS[-1])
    long = long.assign(x=[float(f"{x / scale:.4g}") for x in long["x"]])[["who", "part", "x"]]
    title = "Time of a call, one tick a twentieth of the calls (thick: median; grey: the teacher, called in turns with it)"
    says = f"Spread of the times of {kit.count(calls['calls'].sum())} calls of {len(order)} rows, and of the teacher beside each."
    return kit.figure(_spec(long, _middle(sides, scale), order, list(label.values()), unit), title, says, _numbers(sides, order))


def _side(role: str) -> str:
    return "teacher" if role == "reference" else "contender"


def _middle(sides: pd.DataFrame, scale: float) -> pd.DataFrame:
    said = [
        f"{kit.number(r.q50 * 1e-6, 's')}, fastest {kit.number(r.q0 * 1e-6, 's')}, slowest {kit.number(r.q100 * 1e-6, 's')}"
        for r in kit.each(sides)
    ]
    return pd.DataFrame({"who": sides["who"], "part": sides["part"], "x": sides["q50"] / scale, "shown": said})


def _spec(long: pd.DataFrame, middle: pd.DataFrame, order: list[str], names: list[str], unit: str) -> Any:
    axis = {"format": "~g", "tickCount": 6}
    x = {"field": "x", "type": "quantitative", "title": f"Time of a call ({unit})", "axis": axis}
    x["scale"] = {"type": "log", "nice": False, "padding": 12}
    y = {"field": "who", "type": "nominal", "sort": order, "title": None}
    lane = {"field": "part", "type": "nominal", "sort": list(SIDES)}
    one, other = ({"filter": {"field": "part", "equal": side}} for side in SIDES)
    colour = {"field": "who", "type": "nominal", "scale": kit.look(names, "color", order), "legend": None}
    tip = [{"field": f, "type": "nominal", "title": t} for f, t in (("who", "contender"), ("part", "side"), ("shown", "median"))]
    thin, thick = ({"type": "tick", **more} for more in ({"thickness": 1, "opacity": 0.5}, {"thickness": 2.5}))
    place = {"x": x, "y": y, "yOffset": lane}
    held = kit.values(middle)
    return {
        **kit.series(long, ["who", "part"]),
        "width": "container",
        "height": 28 * len(order) + 4,
        "layer": [
            {"transform": [one], "mark": {**thin, "size": 11}, "encoding": {**place, "color": colour}},
            {"transform": [other], "mark": {**thin, "size": 7, "color": "#8a8f98"}, "encoding": place},
            {"data": held, "mark": {**thick, "size": 13}, "encoding": {**place, "tooltip": tip}},
        ],
    }


def _numbers(sides: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    out = []
    for who in order:
        of = {r.part: r for r in kit.each(sides[sides["who"] == who])}
        times = [kit.number(getattr(of.get(s), q, float("nan")) * 1e-6, "s") for s in SIDES for q in ("q0", "q50", "q100")]
        first = next(iter(of.values()))
        out.append([who, kit.count(first.calls), *times, _load(first), _switches(of)])
    names = ("fastest", "median", "slowest")
    heads = ["Contender", "Calls", *(n.capitalize() for n in names), *(f"Teacher: {n}" for n in names)]
    return pd.DataFrame(out, columns=[*heads, "Load average", "Switches"])


def _load(row: Any) -> str:
    ends = float(row.load_before), float(row.load_after)
    return "" if any(end != end for end in ends) else f"{ends[0]:.1f} to {ends[1]:.1f}"


def _switches(of: dict[str, Any]) -> str:
    counts = [r.switches for r in of.values()]
    return "" if any(n != n for n in counts) else str(kit.count(sum(counts)))


def conditions(calls: pd.DataFrame) -> Any:
    """What the calls were taken under, and which rows have fewer blocks than were asked for."""
    said = ["Absolute times are best cases on this machine, as busy as it was then"]
    loads = calls[["load_before", "load_after"]].to_numpy(dtype=float)
    loads = loads[loads == loads]
    if loads.size:
        said.append(f"load average {loads.min():.1f} to {loads.max():.1f}")
    governors = [kit.clean(g, 30) for g in dict.fromkeys(calls["governor"]) if g]
    said.append(f"frequency governor {', '.join(governors)}" if governors else "its frequency governor is not told")
    threads = sorted({int(t) for t in calls["threads"] if t > 0})
    if threads:
        many = f"{threads[0]} to {threads[-1]} threads"
        said.append(kit.plural(threads[0], "thread") if len(threads) == 1 else many)
    counted = calls[calls["switches"].notna()]
    if len(counted):
        rate = counted["switches"] / counted["calls"]
        said.append(f"at most {kit.number(1000 * float(rate.max()), 'count')} involuntary context switches in 1000 calls")
    text = "; ".join(said) + ". Times of two rows come from different minutes: compare them by their ratios."
    short = calls[(calls["pairs"] < calls["asked_pairs"]) & (calls["role"] == "contender")]
    named = ", ".join(f"{kit.clean(r.contender, 40)} ({r.pairs} of {r.asked_pairs})" for r in kit.each(short))
    if named:
        text += f" Late: too slow for all block pairs in the time given, so with a wider interval: {named}."
    return kit.note(text)


def honesty(view: Any, calls: pd.DataFrame) -> Any:
    """The rows whose times are not told, each with the reason; else that all passed, where they were checked."""
    of, every = failed(view), view.rows(metric="latency_ratio", slice=None)
    item, lines = kit.Markup("<b>{}</b>{}: {}"), []
    for (name, reason), rows in of.groupby(["contender", "reason"], sort=False):
        where = kit.clean(", ".join(scenario_title(str(s)) for s in rows["slice"]), 120)
        at = "" if len(rows) == (every["contender"] == name).sum() else f" ({where})"
        lines.append(item.format(kit.clean(name, 40), at, kit.clean(reason, 300)))
    if lines:
        return kit.Markup("<h4>Failed: no time is told</h4>") + kit.findings(lines)
    return kit.note(HONEST) if len(calls) and (calls["checks"] >= 4).all() else kit.Markup("")
