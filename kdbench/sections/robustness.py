"""How much is left when the inputs get worse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from kdbench import kit, section

HOW = (
    "Severity 0 is clean. A corruption error below 1 means that a contender errs less than the teacher under that shift; "
    "effective robustness is what the clean accuracy alone does not explain."
)


@section(title="Robustness", order=65)
def robustness(scores: pd.DataFrame, standings: pd.DataFrame) -> str:
    """The metric of the standings by shift and severity (0 is clean), absolute and minus the teacher's on the same inputs; then
    the metrics that are only about shifts: corruption errors, the worst shift, effective robustness.
    """
    drawn = kit.panels(scores, standings, lambda view: _draw(view) + _derived(view), "No shift of this task is in the suite.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _derived(view: Any) -> str:
    """Metrics that no clean test set has: means over shifts first, shift by shift on demand."""
    rows = view.rows(shift=None)
    rows = rows.loc[[not kit.derived(m) for m in rows["metric"]]]
    only = [m for m, axes in rows.groupby("metric", sort=False)["axis"].agg(set).items() if axes == {"robustness"}]
    rows = rows[rows["metric"].isin(only)]
    other = rows["metric"].str.contains("{of=", regex=False)
    whole, others = (rows[rows["shift"].isin(["", "*"]) & of] for of in (~other, other))
    single = rows[~rows["shift"].isin(["", "*"]) & ~other]

    def head(row: Any) -> str:
        return f"{kit.titled(row)}, {kit.clean(row.shift, 30)}" + (f" {row.severity}" if row.severity else "")

    out = str(kit.by_contender(view, whole, "Robustness relative to the teacher"))
    every = kit.by_contender(view, single, "Robustness by shift", head)
    more = kit.by_contender(view, others, "Robustness of other metrics")
    folds = (("The same by shift", every), ("The same for other metrics", more))
    return out + "".join(str(kit.fold(title, table)) for title, table in folds if table)


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
        "value": held["value"], "delta": held["delta"],
    })  # fmt: skip
    order, names = list(label.values()), list(kinds.values())
    says = f"{title} of {frame['who'].nunique()} rows by severity, for {', '.join(names)}. Numbers follow."
    spec = _spec(frame.drop(columns="delta"), order, ("value", title, unit), names)
    absolute = kit.figure(spec, f"{title} by severity (0: clean)", says, _wide(frame, "value", lambda v: kit.number(v, unit)))
    apart = frame[frame["delta"].notna()].drop(columns="value")
    relative = ""
    if len(apart):
        spec = _spec(apart, order, ("delta", "Minus teacher", unit), names)
        says = f"{title} minus the teacher's at the same severity; below 0 the contender is worse."
        numbers = _wide(apart, "delta", lambda v: kit.difference(v, unit))
        relative = kit.figure(spec, f"{title} minus the teacher's on the same inputs", says, numbers)
    return str(absolute) + str(relative) + _table(view, rows, shifts, label)


def _wide(frame: pd.DataFrame, field: str, shown: Callable[[float], str]) -> pd.DataFrame:
    """A line for each shift and contender, a column for each severity."""
    out: dict[tuple[str, str], dict[str, str]] = {}
    for row in kit.each(frame):
        line = out.setdefault((row.shift, row.who), {"Shift": row.shift, "Contender": row.who})
        line[f"Severity {row.severity}" if row.severity else "Clean"] = shown(getattr(row, field))
    return pd.DataFrame(list(out.values())).fillna("")


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
    points = {"labelExpr": "(datum.value ? format(datum.value * 100, '+~g') : '0') + ' pp'"}
    axis = points if field == "delta" and unit == "fraction" else kit.axis(unit)
    y = {"field": field, "type": "quantitative", "title": kit.axis_title(title, unit), "scale": {"zero": False}, "axis": axis}
    tip = [{"field": f, "type": "nominal", "title": t} for f, t in (("who", "contender"), ("severity", "severity"))]
    form = ("+" if field == "delta" else "") + (".1%" if unit == "fraction" else ".3~g")
    tip.append({"field": field, "type": "quantitative", "title": kit.tip_title(title), "format": form})
    fade = {"condition": {"param": "pick", "value": 1}, "value": 0.1}
    shared = {"x": x, "y": y, "color": {**who, "scale": kit.look(order, "color", here)}, "opacity": fade}
    pick = {"name": "pick", "select": {"type": "point", "fields": ["who"]}, "bind": "legend"}
    return {
        **kit.series(frame, ["shift", "who"]),
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
