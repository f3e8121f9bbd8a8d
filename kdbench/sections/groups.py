"""Who is served worse: the same metric by group."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
SUMMARIES = {"gap": "gap", "worst": "worst group"}


@section(title="Groups", order=50)
def groups(scores: pd.DataFrame, standings: pd.DataFrame, *, most: int = 6) -> str:
    """For each group column: the metric of the standings and every metric of the axis bias by group, then gap and worst group.

    most: groups beyond this number stay in the table, not in the picture.
    """
    return str(kit.panels(scores, standings, lambda view: _draw(view, most), "This task has no group column in the suite."))


def _draw(view: Any, most: int) -> str:
    wanted = list(dict.fromkeys([view.primary, *view.rows(axis="bias")["metric"]]))
    sliced = view.rows(slice=None)
    sliced = sliced[(sliced["slice"] != "") & sliced["metric"].isin(wanted)]
    out = []
    for column in _columns(list(sliced["slice"].unique())):
        mine = sliced[sliced["slice"].map(lambda s, c=column: s.startswith((f"{c}=", f"{c}:")))]
        found = [mine[mine["metric"] == metric] for metric in wanted]
        drawn = [_picture(view, column, rows, most) for rows in found if len(rows)]
        out.append(kit.Markup("<h4>By {}</h4>").format(kit.clean(column, 60)))
        out.append(kit.Markup('<div class="pairwise">{}</div>').format(kit.Markup("").join(kit.Markup(d) for d in drawn if d)))
        out.append(_table(mine, column, kit.short(view.scores)))
    return "".join(str(part) for part in out)


def _columns(slices: list[str]) -> list[str]:
    """The group columns, from "sex:gap" where there is one (a name may hold "="), else from "sex=female"."""
    known = dict.fromkeys(s.rsplit(":", 1)[0] for s in slices if s.rsplit(":", 1)[-1] in SUMMARIES)
    rest = [s for s in slices if s.rsplit(":", 1)[-1] not in SUMMARIES and not s.startswith(tuple(f"{c}=" for c in known))]
    return list(known | dict.fromkeys(s.split("=")[0] for s in rest))


def _picture(view: Any, column: str, rows: pd.DataFrame, most: int) -> str:
    each = rows[rows["slice"].str.startswith(f"{column}=")]
    numbers = kit.measured(each)
    if numbers.empty:
        return ""
    label = kit.short(view.scores)
    title, unit = kit.titled(next(kit.each(rows))), str(rows["unit"].iloc[0])
    names = {s: s[len(column) + 1 :] for s in numbers["slice"].unique()}
    parts = kit.labels(list(names.values())[:most], 24)
    seen = numbers[numbers["slice"].map(lambda s: names[s] in parts)]
    frame = pd.DataFrame({
        "who": [label[c] for c in seen["contender"]], "part": [parts[names[s]] for s in seen["slice"]],
        "value": seen["value"], "low": seen["low"], "high": seen["high"],
        "shown": [f"{kit.stated(r.value, r.low, r.high, r.unit)}, n {kit.count(r.n)}" for r in kit.each(seen)],
    })  # fmt: skip
    order = list(label.values())
    ticks = {**kit.axis(unit), "tickCount": 6}
    x = {"type": "quantitative", "scale": {"zero": False}, "title": kit.axis_title(title, unit), "axis": ticks}
    scale = {"domain": list(parts.values()), "range": [COLOURS[i % len(COLOURS)] for i in range(len(parts))]}
    by = {
        "field": "part",
        "type": "nominal",
        "title": None,
        "scale": scale,
        "legend": {"orient": "top", "labelLimit": 130, "columns": 3},
    }
    says = f"{title} by {column}: one line for each contender, one dot for each of {len(parts)} groups, with intervals."
    shown = frame[["who", "part", "shown"]].set_axis(["Contender", "Group", "Value"], axis=1)
    more = f" (the first {most} of {len(names)} groups)" if len(names) > most else ""
    return str(kit.figure(kit.dots(frame, order, x, by), f"{title} by {column}{more}", says, shown))


def _table(rows: pd.DataFrame, column: str, label: dict[str, str]) -> Any:
    """Gap and worst group of each metric; the groups' own numbers are with the pictures."""
    keys = [(m, f"{column}:{s}") for m in rows["metric"].unique() for s in SUMMARIES]
    held = {(r.contender, r.metric, r.slice): r for r in kit.each(rows)}
    keys = [key for key in keys if any((name, *key) in held for name in label)]
    titles = {r.metric: kit.titled(r) for r in kit.each(rows)}
    columns = [kit.Column("Contender", number=False)]
    columns += [kit.Column(f"{kit.clean(titles[m], 40)}, {SUMMARIES[s.rsplit(':', 1)[1]]}") for m, s in keys]
    out = []
    for name, short in label.items():
        found = [held.get((name, *key)) for key in keys]
        if any(found):
            cells = [kit.Cell(short), *(_cell(row, teacher=name == "teacher") for row in found)]
            out.append(kit.Row(cells, pinned=name == "teacher"))
    return kit.grid(columns, out, f"Gap and worst group by {column}")


def _cell(row: Any, *, teacher: bool) -> Any:
    if row is None:
        return kit.absent(None)
    return kit.value_cell(row, delta=("", "", "") if teacher else kit.against_teacher(row))
