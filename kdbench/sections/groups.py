"""Who is served worse: the same metric by group."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

from ._slices import Column, columns, tucked

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
SUMMARIES = {"gap": "gap", "ratio": "ratio", "worst": "worst group"}
HOW = "Each dot is one group, with its interval. The farther apart the dots of a line, the less alike that contender serves them."


@section(title="Groups", order=60)
def groups(scores: pd.DataFrame, standings: pd.DataFrame, *, most: int = 6, rows: int = 24) -> str:
    """For each group column: the metric of the standings and every metric of the axis bias by group, then gap, ratio and worst
    group, and the groups that are too small to be compared.

    most: groups beyond this number stay in the table, not in the picture; rows: so many groups of crossed columns are shown.
    """
    drawn = kit.panels(scores, standings, lambda view: _draw(view, most, rows), "This task has no group column in the suite.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _draw(view: Any, most: int, limit: int) -> str:
    wanted = list(dict.fromkeys([view.primary, *view.rows(axis="bias")["metric"]]))
    sliced = view.rows(slice=None)
    out = []
    for column in columns(sliced[(sliced["slice"] != "") & sliced["metric"].isin(wanted)]):
        many = tucked(column)
        mine = column.by_group()
        parts = [_many(view, column, mine, limit)] if many else [_pictures(view, column, mine, wanted, most)]
        parts += [_table(view, column), _few(mine)]
        inner = "".join(str(part) for part in parts if part)
        title = f"By {kit.clean(column.name, 60)}"
        if many and inner:
            out.append(str(kit.fold(f"{title}: {kit.plural(len(column.groups), 'group')}", inner)))
        elif inner:
            out.append(str(kit.Markup("<h4>{}</h4>").format(title)) + inner)
    return "".join(out)


def _pictures(view: Any, column: Column, mine: pd.DataFrame, wanted: list[str], most: int) -> str:
    drawn = [_picture(view, column.name, mine[mine["metric"] == m], most) for m in wanted if (mine["metric"] == m).any()]
    return f'<div class="pairwise">{"".join(d for d in drawn if d)}</div>' if any(drawn) else ""


def _picture(view: Any, column: str, rows: pd.DataFrame, most: int) -> str:
    numbers = kit.measured(rows)
    numbers = numbers[~numbers["reason"].str.contains("insufficient")]
    if numbers.empty:
        return ""
    label = kit.short(view.scores)
    title, unit = kit.titled(next(kit.each(rows))), str(rows["unit"].iloc[0])
    levels = list(numbers["level"].unique())
    parts = kit.labels(levels[:most], 24)
    seen = numbers[numbers["level"].isin(list(parts))]
    frame = pd.DataFrame({
        "who": [label[c] for c in seen["contender"]], "part": [parts[level] for level in seen["level"]],
        "value": seen["value"], "low": seen["low"], "high": seen["high"],
        "shown": [f"{kit.stated(r.value, r.low, r.high, r.unit)}, n {kit.count(r.n)}" for r in kit.each(seen)],
    })  # fmt: skip
    order = list(label.values())
    ticks = {**kit.axis(unit), "tickCount": 6}
    x = {"type": "quantitative", "scale": {"zero": False}, "title": kit.axis_title(title, unit), "axis": ticks}
    scale = {"domain": list(parts.values()), "range": [COLOURS[i % len(COLOURS)] for i in range(len(parts))]}
    legend = {"orient": "top", "labelLimit": 130, "columns": 3}
    by = {"field": "part", "type": "nominal", "title": None, "scale": scale, "legend": legend}
    says = f"{title} by {column}: one line for each contender, one dot for each of {len(parts)} groups, with intervals."
    shown = frame[["who", "part", "shown"]].set_axis(["Contender", "Group", "Value"], axis=1)
    more = f" (the first {most} of {len(levels)} groups)" if len(levels) > most else ""
    return str(kit.figure(kit.dots(frame, order, x, by), f"{title} by {column}{more}", says, shown))


def _many(view: Any, column: Column, mine: pd.DataFrame, limit: int) -> Any:
    """The metric of the standings, a line for each group, the worst served first."""
    numbers = kit.measured(mine[mine["metric"] == view.primary])
    numbers = numbers[~numbers["reason"].str.contains("insufficient")]
    if numbers.empty:
        return ""
    higher = numbers["better"].iloc[0] != "lower"
    worst = numbers.groupby("level", sort=False)["value"].agg("min" if higher else "max")
    levels = list(worst.sort_values(ascending=higher, kind="stable").index)
    label = {k: v for k, v in kit.short(view.scores, 22).items() if k in set(numbers["contender"])}
    held = {(r.level, r.contender): r for r in kit.each(numbers)}
    count = numbers.groupby("level", sort=False)["n"].first().to_dict()
    heads = [kit.Column(kit.clean(column.name, 40), number=False), kit.Column("n")]
    heads += [kit.Column(short) for short in label.values()]
    rows = []
    for level in levels[:limit]:
        about = [kit.Cell(kit.clean(level, 60)), kit.Cell(kit.count(count[level]), float(count[level]))]
        rows.append(kit.Row([*about, *(kit.cell_of(held.get((level, name))) for name in label)]))
    title = kit.titled(next(kit.each(numbers)))
    left = f"The {limit} worst of {len(levels)} groups; the others are in the files. " if len(levels) > limit else ""
    table = kit.grid(heads, rows, f"{title} by {column.name}: {view.task} on {view.target}")
    return table + kit.note(f"{title}, the worst served group first. {left}")


def _table(view: Any, column: Column) -> Any:
    """Gap, ratio and worst group of each metric, and the metrics that compare the groups; the groups' own numbers are above."""
    rows = pd.concat([column.of(what) for what in (*SUMMARIES, "")])
    if rows.empty:
        return ""
    order = {m: i for i, m in enumerate(dict.fromkeys(rows["metric"]))}
    rows = rows.iloc[rows["metric"].map(order).argsort(kind="stable")]

    def head(row: Any) -> str:
        what = SUMMARIES.get(row.slice.rsplit(":", 1)[-1] if ":" in row.slice else "", "")
        return f"{kit.titled(row)}, {what}" if what else str(kit.titled(row))

    table = kit.by_contender(view, rows, f"Gap, ratio and worst group by {column.name}", head)
    return kit.fold("Gap, ratio, worst group and disparity", table)


def _few(mine: pd.DataFrame) -> Any:
    """The groups that have too few examples to be compared, with how many they have."""
    small = mine[mine["reason"].str.contains("insufficient")].drop_duplicates("level")
    said = ", ".join(f"{kit.clean(r.level, 60)} (n = {kit.count(r.n)})" for r in kit.each(small))
    return kit.note(f"Too small to be compared: {said}.") if said else ""
