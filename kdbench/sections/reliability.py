"""Whether a stated confidence of 80 % is right 8 times in 10."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

GREY, BLUE = "#8a8f98", "#0072b2"


SCALED = "_temperature_scaled"
HOW = (
    "A calibrated contender that says 80 % is right 8 times in 10. Below the diagonal it claims too much. "
    "Definitions differ between tools: hover over a heading for the one used, or see the list of metrics."
)


@section(title="Calibration", order=45)
def reliability(scores: pd.DataFrame, standings: pd.DataFrame, curves: pd.DataFrame) -> str:
    """Every metric of the axis calibration; one small diagram a contender, share correct against mean confidence by bin, with
    the teacher's curve behind it; and the calibration error under shift.
    """
    clean = (
        curves[(curves["curve"] == "reliability") & (curves["shift"] == "") & (curves["slice"] == "")] if len(curves) else curves
    )
    drawn = kit.panels(scores, standings, lambda view: _all(view, clean), "No calibration was measured here.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _all(view: Any, curves: pd.DataFrame) -> str:
    rows = view.axis("calibration")
    known = list(dict.fromkeys(rows["metric"]))
    place = {m: (known.index(b) if (b := m.replace(SCALED, "")) in known else known.index(m), SCALED in m) for m in known}
    rows = rows.iloc[sorted(range(len(rows)), key=lambda i: place[rows["metric"].iloc[i]])]  # after scaling beside before
    return str(kit.by_contender(view, rows, "Calibration")) + _draw(view, curves) + _shifted(view)


def _shifted(view: Any) -> str:
    """The first calibration error of the board (0 is clean) by severity, one picture for each shift."""
    names = [m for m in view.rows(axis="calibration")["metric"].unique() if str(m).split("{")[0].startswith("ece")]
    rows = kit.measured(view.rows(metric=names[0] if names else "", shift=None))
    rows = rows[(rows["shift"] == "") | (rows["severity"] > 0)]
    shifts = [s for s in rows["shift"].unique() if s and not s.startswith("ood:")]
    if not shifts:
        return ""
    label = kit.short(view.scores)
    unit, title = str(rows["unit"].iloc[0]), kit.titled(next(kit.each(rows)))
    out = []
    for shift in shifts:
        of = rows[rows["shift"].isin(["", shift])].sort_values(["contender", "severity"], kind="stable")
        frame = pd.DataFrame({"who": [label[c] for c in of["contender"]], "x": of["severity"], "y": of["value"]})
        table = frame.assign(shown=[kit.number(v, unit) for v in frame["y"]])
        table = table.pivot_table("shown", "who", "x", "first", sort=False)
        heads = {"who": "Contender"} | {s: f"Severity {s}" for s in table.columns}
        shown = table.reset_index().rename(columns=heads).fillna("")
        x = {"title": f"Severity of {kit.clean(shift, 40)} (0: clean)", "axis": {"tickMinStep": 1, "format": "d", "grid": False}}
        y = {"title": kit.axis_title(title, unit), "axis": kit.axis(unit)}
        says = f"{title} of {len(shown)} rows under {shift}, by severity; where it rises, confidence falls less than accuracy."
        spec = kit.lines(frame, list(label.values()), x, y)
        out.append(kit.figure(spec, f"{title} under {shift}", says, shown))
    return f'<h4>Under shift</h4><div class="pairwise">{"".join(map(str, out))}</div>'


def _draw(view: Any, curves: pd.DataFrame) -> str:
    if curves.empty:
        return ""
    of = curves[(curves["task"] == view.task) & (curves["target"] == view.target) & curves["y"].notna()]
    of = of[of["metric"] == of["metric"].iloc[0]] if len(of) else of
    of = _one_seed(of)
    students = [c for c in kit.contenders(of) if c != "teacher"] or kit.contenders(of) if len(of) else []
    if not students:
        return ""
    metric = str(of["metric"].iloc[0])
    label = _labels(view, students, metric)
    own = pd.concat([of[of["contender"] == name].sort_values("x", kind="stable") for name in students])
    behind = of[of["contender"] == "teacher"].sort_values("x", kind="stable")[["x", "y", "n"]].assign(who="teacher")
    frame = own[["x", "y", "n"]].assign(panel=[label[c] for c in own["contender"]], who="contender")
    says = f"{len(students)} reliability diagrams; below the diagonal is over-confident. Blue: contender; grey: teacher."
    shown = _bins(of)
    title = "Share correct against mean confidence (blue: contender, grey: teacher, dashed: calibrated; area: rows in the bin)"
    return str(kit.figure(_spec((frame, behind), list(label.values())), title, says, shown))


def _bins(of: pd.DataFrame) -> pd.DataFrame:
    """A line for each contender: of each bin, mean confidence, share correct and rows."""
    lines = []
    for name, part in of.sort_values("x", kind="stable").groupby("contender", sort=False):
        bins = [f"{kit.number(r.x, 'fraction')}: {kit.number(r.y, 'fraction')} (n {kit.count(r.n)})" for r in kit.each(part)]
        lines.append({"Contender": name, **{f"Bin {i}": text for i, text in enumerate(bins, start=1)}})
    return pd.DataFrame(lines).fillna("")


def _one_seed(of: pd.DataFrame) -> pd.DataFrame:
    """The curve over seeds where there is one; else that of the first seed."""
    return of[of["seed"] == of["seed"].min()] if len(of) else of


def _labels(view: Any, students: list[str], metric: str) -> dict[str, str]:
    rows = {str(r.contender): r for r in kit.each(kit.measured(view.rows(metric=metric)))}
    short, out = kit.short(view.scores, 20), {}
    for name in students:
        row = rows.get(name)
        said = f" \u00b7 {metric.split('{')[0].upper()} {kit.number(row.value, row.unit)}" if row is not None else ""
        out[name] = kit.clean(short.get(name, name) + said, 60)  # as in the data of the figure, where it is sorted by
    return out


def _spec(frames: tuple[pd.DataFrame, pd.DataFrame], order: list[str]) -> Any:
    """frames: the contenders' points by panel, and the teacher's, which stand behind each."""
    ticks = {"values": [0, 0.5, 1], "format": "~%"}
    x = {"field": "x", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": None, "axis": ticks}
    y = {"field": "y", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": None, "axis": ticks}
    sides = {"domain": ["contender", "teacher"], "range": [BLUE, GREY]}
    who = {"field": "who", "type": "nominal", "legend": None, "scale": sides}
    size = {"field": "n", "type": "quantitative", "legend": None, "scale": {"range": [8, 130]}}
    tip = [
        {"field": "who", "type": "nominal", "title": "of"},
        {"field": "x", "type": "quantitative", "title": "mean confidence", "format": ".1%"},
        {"field": "y", "type": "quantitative", "title": "share correct", "format": ".1%"},
        {"field": "n", "type": "quantitative", "title": "rows"},
    ]
    even = {"values": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]}
    # bins of a few rows jump: the dots, whose area is the rows, carry the picture
    line, point = {"type": "line", "strokeWidth": 1.5, "opacity": 0.45}, {"type": "point", "filled": True, "opacity": 0.9}

    def layers(data: Any) -> list[Any]:
        spots = {"mark": point, "encoding": {"x": x, "y": y, "color": who, "size": size, "tooltip": tip}}
        both = [{"mark": line, "encoding": {"x": x, "y": y, "color": who}}, spots]
        return [{"data": data, **layer} for layer in both] if data else both

    return {
        **kit.series(frames[0], ["panel", "who"]),
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
                *(layer for data in (kit.values(frames[1]), None) for layer in layers(data)),
            ],
        },
    }
