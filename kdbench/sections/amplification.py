"""Whether a contender treats groups less equally than its teacher does."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

from ._slices import Column, columns, tucked

HOW = (
    "A gap is the difference between the best and the worst served group. Widened and narrowed are said only where the paired "
    "interval of the change against the teacher excludes 0; the intervals are not corrected for how many gaps there are, so "
    "one in twenty may look changed by chance."
)
HARM = (
    "Harm: what a group lost against the teacher beyond what everybody lost; above 0 the group is harmed. Weighted by group "
    "size, the harms of a mean over examples sum to zero: what one group loses, another gains."
)
LIFT = "How much more often than everybody a group has examples whose usual decision changed; above 1 it is over-represented."


@section(title="Amplification against the teacher", order=55)
def amplification(scores: pd.DataFrame, standings: pd.DataFrame, *, most: int = 12) -> str:
    """By group column: the change of every gap and disparity against the teacher, then the harm of each group and the groups
    over-represented among the examples whose decision changed. most: groups with the largest harm that the table shows.
    """
    drawn = kit.panels(scores, standings, lambda view: _draw(view, most), "There are no groups to compare here.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _draw(view: Any, most: int) -> str:
    sliced = view.rows(slice=None)
    wanted = {view.primary, *view.rows(axis="bias")["metric"]}
    out = []
    for column in columns(sliced[sliced["slice"] != ""]):
        every = pd.concat([column.of("gap"), column.of("")])
        every = every[(every["contender"] != "teacher") & every["delta"].notna()]
        main = every["metric"].isin(wanted) | (every["slice"] == column.name)
        others, same = _said(every[~main], view), _alike(every[main], column.name)
        changes = every[main & ~pd.Series(list(zip(every["metric"], every["slice"], strict=True)), every.index).isin(list(same))]
        harm = kit.measured(column.by_group("harm"))
        parts = [_said(changes, view) or _none(changes), _pictures(view, column, every[main]), _table(view, column, changes)]
        parts += [kit.note(f"{names}: the same numbers as {name}.") for name, names in _turned(same).items()]
        parts += [kit.fold("Gaps of other metrics that changed", others) if others else ""]
        parts += [_groups(view, column, harm[harm["metric"] == view.primary], ("harm", HARM), most)]
        parts += [_groups(view, column, kit.measured(column.by_group("lift")), ("lift", LIFT), most)]
        inner = "".join(str(part) for part in parts if part)
        if inner:
            name = f"By {kit.clean(column.name, 60)}"
            out.append(str(kit.fold(name, inner)) if tucked(column) else str(kit.Markup("<h4>{}</h4>").format(name)) + inner)
    return "".join(out)


def _alike(rows: pd.DataFrame, column: str) -> dict[tuple[str, str], tuple[str, str]]:
    """(metric, slice) whose numbers are those of another one, with its own title and the other's: the gap of the selection rate
    is the demographic parity difference. Kept is what has an interval, and of those the metric that compares groups itself.
    """
    found = [(str(metric), str(piece), part) for (metric, piece), part in rows.groupby(["metric", "slice"], sort=False)]
    found.sort(key=lambda one: (bool(one[2]["delta_low"].isna().all()), one[1] != column))
    seen: dict[tuple[Any, ...], str] = {}
    same: dict[tuple[str, str], tuple[str, str]] = {}
    for metric, piece, part in found:
        key = tuple((r.contender, round(float(r.value), 9), round(float(r.delta), 9)) for r in kit.each(part))
        title = kit.clean(kit.titled(next(kit.each(part))), 60) + (", gap" if piece.endswith(":gap") else "")
        if key in seen:
            same[metric, piece] = (title, seen[key])
        else:
            seen[key] = title
    return same


def _turned(same: dict[tuple[str, str], tuple[str, str]]) -> dict[str, str]:
    """Title of the numbers that stay -> the titles of those that say the same."""
    out: dict[str, list[str]] = {}
    for title, kept in same.values():
        out.setdefault(kept, []).append(title)
    return {kept: "; ".join(titles) for kept, titles in out.items()}


def _word(row: Any) -> tuple[str, str]:
    """(widened, narrowed or not separable; class of the style sheet). A ratio is the more equal the higher it is."""
    low, high = (-row.delta_high, -row.delta_low) if row.better == "higher" else (row.delta_low, row.delta_high)
    if low != low or high != high:
        return "without an interval", "level"
    return ("widened", "bad") if low > 0 else ("narrowed", "good") if high < 0 else ("not separable", "level")


def _said(changes: pd.DataFrame, view: Any) -> Any:
    """One line a gap: who widened it, who narrowed it; nothing where no change is separable."""
    label, lines = kit.short(view.scores, 30), []
    for metric, part in changes.groupby("metric", sort=False):
        found: dict[str, list[str]] = {}
        for row in kit.each(part):
            found.setdefault(_word(row)[0], []).append(f"{label[row.contender]} ({kit.difference(row.delta, row.unit)})")
        if {"widened", "narrowed"} & set(found):
            name = kit.titled(next(kit.each(part))) or metric
            said = [f"{word} by {', '.join(found[word])}" for word in ("widened", "narrowed") if word in found]
            more = f"; not separable for {len(found['not separable'])}" if "not separable" in found else ""
            lines.append(kit.Markup("<li>{}: {}{}</li>").format(kit.clean(name, 60), kit.clean("; ".join(said), 600), more))
    if not lines:
        return ""
    return kit.Markup('<ul class="findings">{}</ul>').format(kit.Markup("").join(lines))


def _none(changes: pd.DataFrame) -> Any:
    known = changes["delta_low"].notna().any()
    said = "No change of a gap against the teacher is separable from 0." if known else "These gaps have no intervals."
    return kit.note(said) if len(changes) else ""


def _pictures(view: Any, column: Column, changes: pd.DataFrame) -> str:
    """The change of the gap in the selection rate, where there is one, and in the metric of the standings."""
    if tucked(column):
        return ""
    known = changes[changes["slice"] != column.name]
    wanted = [m for m in dict.fromkeys(("selection_rate", view.primary)) if (known["metric"] == m).any()]
    drawn = [str(_picture(view, column, known[known["metric"] == metric])) for metric in wanted]
    return f'<div class="pairwise">{"".join(drawn)}</div>' if drawn else ""


def _picture(view: Any, column: Column, rows: pd.DataFrame) -> Any:
    label = kit.short(view.scores)
    unit, title = str(rows["unit"].iloc[0]), f"{kit.titled(next(kit.each(rows)))}, gap by {kit.clean(column.name, 40)}"
    frame = pd.DataFrame({
        "who": [label[c] for c in rows["contender"]],
        "value": rows["delta"], "low": rows["delta_low"], "high": rows["delta_high"],
        "shown": [f"{kit.difference(r.delta, unit)} ({_between(r, unit)}), {_word(r)[0]}" for r in kit.each(rows)],
    })  # fmt: skip
    points = (
        {"labelExpr": "(datum.value ? format(datum.value * 100, '+~g') : '0') + ' pp'"} if unit == "fraction" else kit.axis(unit)
    )
    ticks, room = {**points, "tickCount": 6}, {"padding": 12}
    x = {"type": "quantitative", "title": "Change against the teacher", "axis": ticks, "scale": room}
    spec = kit.dots(frame, list(label.values()), x)
    zero = {"type": "rule", "strokeDash": [4, 3], "color": "#8a8f98"}
    spec["layer"].insert(0, {"data": {"values": [{"value": 0}]}, "mark": zero, "encoding": {"x": {**x, "field": "value"}}})
    says = f"Change of the gap against the teacher for {len(frame)} contenders; right of 0 the gap is wider."
    shown = frame[["who", "shown"]].set_axis(["Contender", "Change of the gap"], axis=1)
    return kit.figure(spec, f"{title}: change against the teacher (right of 0: wider)", says, shown)


def _between(row: Any, unit: str) -> str:
    ends = kit.difference(row.delta_low, unit), kit.difference(row.delta_high, unit)
    return " to ".join(ends) if all(ends) else ""


def _table(view: Any, column: Column, changes: pd.DataFrame) -> Any:
    """Gap beside its change, for each metric."""
    keys = list(dict.fromkeys(zip(changes["metric"], changes["slice"], strict=True)))
    both = pd.concat([column.of("gap"), column.of("")])
    held = {(r.contender, r.metric, r.slice): r for r in kit.each(both)}
    heads = [kit.Column("Contender", number=False)]
    for metric, piece in keys:
        first = next(kit.each(changes[(changes["metric"] == metric) & (changes["slice"] == piece)]))
        name = kit.clean(kit.titled(first), 44) + (", gap" if piece.endswith(":gap") else "")
        heads += [kit.Column(name, tip=kit.clean(f"{metric}: {first.convention}", 400)), kit.Column("change against the teacher")]
    rows = []
    for name, short in kit.short(view.scores, 40).items():
        found = [held.get((name, *key)) for key in keys]
        if any(row is not None for row in found):
            cells = [cell for row in found for cell in _cells(row)]
            rows.append(kit.Row([kit.Cell(short), *cells], pinned=name == "teacher"))
    return kit.grid(heads, rows, f"Gaps by {column.name} and their change: {view.task} on {view.target}") if keys else ""


def _cells(row: Any) -> list[Any]:
    if row is None:
        return [kit.absent(None), kit.Cell("\u2013")]
    if row.contender == "teacher" or pd.isna(row.delta):
        return [kit.value_cell(row), kit.Cell("\u2013")]
    word, kind = _word(row)
    change = kit.Cell(kit.difference(row.delta, row.unit), round(float(row.delta), 7), _between(row, row.unit), word, "", kind)
    return [kit.value_cell(row), change]


def _groups(view: Any, column: Column, rows: pd.DataFrame, what: tuple[str, str], most: int) -> Any:
    """Contender by group, the groups with the largest value first. what: ("harm" or "lift", what it means)."""
    if rows.empty:
        return ""
    worst = rows.groupby("level", sort=False)["value"].max().sort_values(ascending=False, kind="stable")
    levels = list(worst.index[:most])
    held = {(r.contender, r.level): r for r in kit.each(rows)}
    count = rows.groupby("level", sort=False)["n"].first().to_dict()
    heads = [kit.Column("Contender", number=False)]
    heads += [kit.Column(kit.clean(level, 40), tip=f"n {kit.count(count[level])}") for level in levels]
    out = []
    for name, short in kit.short(view.scores, 40).items():
        if any((name, level) in held for level in levels):
            out.append(kit.Row([kit.Cell(short), *(_signed(held.get((name, level)), what[0]) for level in levels)]))
    title = kit.titled(next(kit.each(rows)))
    more = f" The {most} of {len(worst)} groups with the largest values." if len(worst) > most else ""
    caption = f"{title}: {what[0]} by {column.name}, {view.task} on {view.target}"
    return kit.fold(f"{title}: {what[0]} of each group", str(kit.note(what[1] + more)) + str(kit.grid(heads, out, caption)))


def _signed(row: Any, what: str) -> Any:
    if row is None:
        return kit.absent(None)
    if what == "lift":
        kind = "bad" if row.low > 1 else ""
        return kit.Cell(kit.number(row.value, "ratio"), float(row.value), kit.interval(row.low, row.high, "ratio"), kind=kind)
    kind, word = ("bad", "harmed") if row.low > 0 else ("good", "favoured") if row.high < 0 else ("level", "")
    ends = f"{kit.difference(row.low, row.unit)} to {kit.difference(row.high, row.unit)}" if row.low == row.low else ""
    return kit.Cell(kit.difference(row.value, row.unit), round(float(row.value), 7), ends, word, "", kind)
