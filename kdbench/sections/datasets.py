"""Who is better over several tasks, and which of those differences could be chance."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

GREY = "#8a8f98"
HOW = (
    "Contenders by their mean rank over the tasks (1 is best). Where a test was possible, a grey bar spans contenders that are "
    "not separable from each other with this many tasks."
)


@section(title="Across tasks", order=35)
def datasets(scores: pd.DataFrame, datasets: pd.DataFrame) -> str:
    """Mean rank and mean win rate, Friedman's test, and the critical difference diagram. Nothing where there is one task."""
    if datasets.empty:
        return ""
    targets = {t: i for i, t in enumerate(t for t in scores["target"].unique() if t)}
    label = kit.short(scores, 28)
    out = kit.how(HOW)
    for target, part in datasets.groupby("target", sort=False):
        name = f"on {kit.clean(target, 80)}" if target else ""
        out += kit.box(("", targets.get(target, "")), (name, ""), _draw(part, label))
    return str(out)


def _draw(part: pd.DataFrame, label: dict[str, str]) -> Any:
    ok = part[part["mean_rank"].notna()].sort_values("mean_rank", kind="stable")
    if ok.empty:
        return kit.note(" ".join(_why(part)) or "The contenders were not ranked over the tasks.")
    ok = ok.assign(who=[label.get(str(n), kit.clean(n, 28)) for n in ok["contender"]])
    first = next(kit.each(ok))
    cd, p, n = (float(kit.told(first, k, float("nan"))) for k in ("critical_difference", "p", "datasets"))
    said = f"{kit.plural(int(n), 'task')}, {kit.plural(len(ok), 'contender')}." if n == n else ""
    said += f" {kit.clean(kit.told(first, 'test'), 60)}: p {kit.number(p) if p >= 0.0001 else '< 0.0001'}." if p == p else ""
    said += f" Critical difference of mean ranks: {kit.number(cd)}." if cd == cd else ""
    return kit.note(" ".join(filter(None, [said, *_why(part)]))) + _figure(ok, _cliques(ok), cd)


def _why(part: pd.DataFrame) -> list[str]:
    """Why contenders were not tested: said once where it is the same for all, else with their names."""
    said = []
    for reason, lost in part[part["reason"] != ""].groupby("reason", sort=False):
        text = kit.clean(reason, 300)
        text = f"Not tested: {text.removeprefix('undefined: ')}" if text.startswith("undefined: ") else text
        names = "" if len(lost) == len(part) else f"{', '.join(kit.clean(n, 40) for n in lost['contender'])}: "
        said.append(f"{names}{text}.")
    return said[:8]


def _cliques(ok: pd.DataFrame) -> list[list[str]]:
    """The groups that are not separable, from the numbers of the groups that each contender is in ("1,2")."""
    found: dict[str, list[str]] = {}
    for row in kit.each(ok):
        for number in filter(None, str(kit.told(row, "cliques")).split(",")):
            found.setdefault(number.strip(), []).append(row.who)
    return [members for members in found.values() if len(members) > 1]


def _figure(ok: pd.DataFrame, cliques: list[list[str]], cd: float) -> Any:
    rank = dict(zip(ok["who"], ok["mean_rank"], strict=True))
    spans = [sorted(float(rank[who]) for who in clique) for clique in cliques]
    bars = [{"who": f"not separable {i}", "x1": span[0], "x2": span[-1]} for i, span in enumerate(spans, start=1)]
    if cd == cd:
        bars.append({"who": "critical difference", "x1": 1.0, "x2": 1.0 + cd})
    shown = pd.DataFrame({"Contender": ok["who"], "Mean rank": ok["mean_rank"]})
    shown["Mean win rate"] = ok["win_rate"]
    tested = bool(cliques) or cd == cd or bool((ok["reason"] == "").all())
    if tested:
        shown["Not separable from"] = _apart(ok, cliques)
    says = f"Mean ranks of {len(ok)} contenders, from {shown['Contender'].iloc[0]} (best) to {shown['Contender'].iloc[-1]}"
    says += f"; {kit.plural(len(cliques), 'group')} not separable." if cliques else "; all are separable." if tested else "."
    title = "Critical difference diagram: m" if tested else "M"
    title += "ean rank over the tasks, left is better" + ("" if tested else " (not tested)")
    return kit.figure(_spec(ok, bars), title, says, shown, {"Mean win rate": "fraction"}, open_table=True)


def _apart(ok: pd.DataFrame, cliques: list[list[str]]) -> list[str]:
    """Of each contender those that it is not separable from."""
    return [", ".join(dict.fromkeys(n for c in cliques if w in c for n in c if n != w)) or "\u2013" for w in ok["who"]]


def _spec(ok: pd.DataFrame, bars: list[dict[str, Any]]) -> Any:
    order = [*ok["who"], *(b["who"] for b in bars)]
    y = {"field": "who", "type": "nominal", "sort": order, "title": None, "scale": {"domain": order}}
    end = max([float(ok["mean_rank"].max()), *(b["x2"] for b in bars)])
    x = {
        "field": "x",
        "type": "quantitative",
        "title": "Mean rank (1: always first)",
        "scale": {"domain": [1, max(end, 2.0)], "nice": False, "padding": 10},
        "axis": {"tickMinStep": 1, "format": "~f"},
    }
    points = {"values": [{"who": r.who, "first": 1, "x": round(float(r.mean_rank), 4)} for r in kit.each(ok)]}
    tip = [
        {"field": "who", "type": "nominal", "title": "contender"},
        {"field": "x", "type": "quantitative", "title": "mean rank"},
    ]
    spans = {"values": [{"who": b["who"], "x": round(b["x1"], 4), "x2": round(b["x2"], 4)} for b in bars]}
    stem = {"type": "rule", "strokeDash": [2, 3], "opacity": 0.35, "color": GREY}
    bar = {"type": "bar", "size": 7, "color": GREY, "cornerRadius": 3}
    point = {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": "#0072b2"}
    return {
        "width": "container",
        "height": 22 * len(order) + 4,
        "layer": [
            {"data": points, "mark": stem, "encoding": {"y": y, "x": {**x, "field": "first"}, "x2": {"field": "x"}}},
            {"data": spans, "mark": bar, "encoding": {"y": y, "x": x, "x2": {"field": "x2"}}},
            {"data": points, "mark": point, "encoding": {"y": y, "x": x, "tooltip": tip}},
        ],
    }
