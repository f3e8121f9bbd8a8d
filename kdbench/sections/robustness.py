"""How much is left when the inputs get worse."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section


@section(title="Robustness", order=60)
def robustness(scores: pd.DataFrame, standings: pd.DataFrame) -> str:
    """The metric of the standings by shift and severity (0 is clean), absolute and minus the teacher's on the same inputs."""
    return str(kit.panels(scores, standings, _draw, "No shift of this task is in the suite."))


def _draw(view: Any) -> str:
    rows = view.rows(metric=view.primary, shift=None)
    rows = rows[~rows["shift"].str.startswith("ood:")]
    shifts = [s for s in rows["shift"].unique() if s not in ("", "*")]
    if not shifts:
        return ""
    label, kinds = kit.short(view.scores), kit.labels(shifts, 24)
    numbers = kit.measured(rows)
    clean = numbers[numbers["shift"] == ""]
    parts = [clean.assign(shift=s) for s in shifts] + [numbers[numbers["shift"].isin(shifts) & (numbers["severity"] > 0)]]
    held = pd.concat(parts, ignore_index=True).sort_values(["shift", "contender", "severity"], kind="stable")
    if held.empty:
        return _table(view, rows, shifts, label)
    unit, title = str(rows["unit"].iloc[0]), kit.titled(next(kit.each(rows)))
    frame = pd.DataFrame({
        "shift": [kinds[s] for s in held["shift"]], "who": [label[c] for c in held["contender"]], "severity": held["severity"],
        "value": held["value"], "delta": held["delta"], "shown": [kit.number(v, unit) for v in held["value"]],
        "gap": [kit.difference(d, unit) for d in held["delta"]],
    })  # fmt: skip
    order = list(label.values())
    says = f"{title} of {frame['who'].nunique()} rows by severity, for {', '.join(kinds.values())}. Numbers follow."
    shown = frame[["shift", "severity", "who", "shown", "gap"]].set_axis(
        ["Shift", "Severity", "Contender", title, "Minus teacher"], axis=1
    )
    absolute = kit.figure(
        _spec(frame, order, ("value", title, unit), list(kinds.values())), f"{title} by severity (0: clean)", says, shown
    )
    apart = frame[frame["delta"].notna()]
    relative = ""
    if len(apart):
        spec = _spec(apart, order, ("delta", "Minus teacher", unit), list(kinds.values()))
        says = f"{title} minus the teacher's at the same severity; below 0 the contender is worse."
        relative = kit.figure(spec, f"{title} minus the teacher's on the same inputs", says, shown[frame["delta"].notna()])
    return str(absolute) + str(relative) + _table(view, rows, shifts, label)


def _spec(frame: pd.DataFrame, order: list[str], what: tuple[str, str, str], kinds: list[str]) -> Any:
    field, title, unit = what
    here = [w for w in order if w in set(frame["who"])]
    who = {
        "field": "who",
        "type": "nominal",
        "sort": here,
        "legend": {"title": None, "symbolType": "stroke", "symbolStrokeWidth": 2, "symbolSize": 420, "labelLimit": 180},
    }
    x = {
        "field": "severity",
        "type": "quantitative",
        "title": "Severity",
        "axis": {"tickMinStep": 1, "format": "d", "tickCount": 5, "grid": False},
    }
    points = {"labelExpr": "format(datum.value * 100, '+~g') + ' pp'"}
    axis = points if field == "delta" and unit == "fraction" else kit.axis(unit)
    y = {"field": field, "type": "quantitative", "title": kit.axis_title(title, unit), "scale": {"zero": False}, "axis": axis}
    tip = [
        {"field": f, "type": "nominal", "title": t}
        for f, t in (("who", "contender"), ("severity", "severity"), ("shown", "value"), ("gap", "minus teacher"))
    ]
    fade = {"condition": {"param": "pick", "value": 1}, "value": 0.1}
    shared = {"x": x, "y": y, "color": {**who, "scale": kit.look(order, "color", here)}, "opacity": fade}
    pick = {"name": "pick", "select": {"type": "point", "fields": ["who"]}, "bind": "legend"}
    return {
        "data": kit.values(frame),
        "facet": {"field": "shift", "type": "nominal", "sort": kinds, "title": None},
        "columns": 3,
        "spacing": 26,
        "usermeta": {"cell": 270},
        "spec": {
            "width": 300,
            "height": 230,
            "layer": [
                {
                    "mark": {"type": "line", "strokeWidth": 2},
                    "params": [pick],
                    "encoding": {**shared, "strokeDash": {**who, "scale": kit.look(order, "strokeDash", here)}},
                },
                {"mark": {"type": "point", "filled": True, "size": 34}, "encoding": {**shared, "tooltip": tip}},
            ],
        },
    }


def _table(view: Any, rows: pd.DataFrame, shifts: list[str], label: dict[str, str]) -> str:
    means = [s for s in ("*", *shifts) if ((rows["shift"] == s) & (rows["severity"] == 0)).any()]
    if not means:
        return ""
    held = {(r.contender, r.shift): r for r in kit.each(rows[rows["severity"] == 0])}
    columns = [kit.Column("Contender", number=False), kit.Column("Clean")]
    columns += [kit.Column("Mean of all shifts" if s == "*" else kit.clean(s, 30)) for s in means]
    out = []
    for name, short in label.items():
        if any((name, s) in held for s in ("", *means)):
            cells = [kit.Cell(short)]
            for s in ("", *means):
                row = held.get((name, s))
                change = kit.against_teacher(row) if row is not None and name != "teacher" else ("", "", "")
                cells.append(kit.value_cell(row, delta=change) if row is not None else kit.absent(held.get((name, ""))))
            out.append(kit.Row(cells, pinned=name == "teacher"))
    return str(kit.grid(columns, out, f"{view.task}: means over severities, by shift"))
