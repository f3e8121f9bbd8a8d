"""Who still does as the teacher does where none of them was trained: on other domains, identity probes, and lm-eval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from kdbench import kit, section

from ._away import notes, said
from ._places import AGREEMENT, DIVERGENCE, Place, homes, numbers, places

HOW = (
    "The same trained models, asked elsewhere without any training for it. A line from left to right: what a contender keeps of "
    "its quality, and of its likeness to the teacher, when it leaves home. Small: 95 % interval; \u25b2 better, \u25bc worse "
    "than the teacher on the same rows; \u2248 not separable."
)
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
Cells = Callable[[Place, str], Any]


@section(title="Away from home", order=37)
def domains(scores: pd.DataFrame, standings: pd.DataFrame, suite: Any, facts: Mapping[str, Any], *, most: int = 6) -> str:
    """For each task with probes: quality, agreement and divergence at home and away, with tie groups; gaps between the groups of
    probes; what was capped, cut off, or no better than a guess.

    most: places beyond this number stay in the tables, not in the pictures.
    """
    asked = homes(suite)
    if not asked:
        return ""
    tables = {
        "views": {(view.task, view.target): view for view in kit.views(scores, standings)},
        "standings": standings, "suite": suite, "facts": facts,
    }  # fmt: skip
    tasks = {t: i for i, t in enumerate(scores["task"].unique())}
    targets = {t: i for i, t in enumerate(t for t in scores["target"].unique() if t)}
    out = kit.Markup("")
    for home, away in asked.items():
        here = [target for task, target in tables["views"] if task == home]
        for target in here:
            found = list(places(home, away, target, tables))
            if len(found) > 1:
                names = kit.clean(home, 80), kit.clean(target or "all targets", 80)
                out += kit.box((tasks[home], targets.get(target, "")), names, _draw(found, kit.short(found[0].view.scores), most))
        for name in away:
            if name in tasks and out:
                text = f"The models asked here are at home on {kit.clean(home, 80)}: choose that task, or all tasks, to compare."
                out += kit.box((tasks[name], ""), (kit.clean(name, 80), "all targets"), kit.note(text))
    return str(kit.how(HOW) + out) if out else ""


def _draw(found: list[Place], label: dict[str, str], most: int) -> Any:
    pictures = kit.Markup('<div class="pairwise">{}</div>').format(
        _agreement(found[:most], label) + _distance(found[:most], label)
    )
    out = kit.findings(said(found)) + pictures
    out += _matrix("Quality", found, label, lambda place: place.main, _quality)
    out += _ranks(found, label)
    out += _matrix("Agreement with the teacher", found, label, lambda place: place.held(AGREEMENT), _plain)
    out += _matrix("Divergence from the teacher", found, label, lambda place: place.held(DIVERGENCE), _plain)
    return out + _gaps(found, label) + notes(found)


# --- tables


def _matrix(
    title: str, found: list[Place], label: dict[str, str], rows_of: Callable[[Place], dict[str, Any]], cell: Cells
) -> Any:
    """A line for each contender, a column for each place. "" where no place has such numbers."""
    held = [(place, rows_of(place)) for place in found]
    held = [(place, rows) for place, rows in held if rows]
    if not held:
        return kit.Markup("")
    one = len({next(iter(rows.values())).metric for _, rows in held}) == 1
    columns = [kit.Column("Contender", number=False)]
    columns += [_column(place, next(iter(rows.values())), named=not one) for place, rows in held]
    out = []
    for name, short in label.items():
        if any(name in rows and rows[name].status != "not applicable" for _, rows in held):
            cells = [cell(place, rows[name]) if name in rows else kit.absent(None) for place, rows in held]
            out.append(kit.Row([kit.Cell(short), *cells], pinned=name == "teacher"))
    heading = _heading(str(kit.titled(next(iter(held[0][1].values())))) if one else title)
    return heading + kit.grid(columns, out, f"{title}: {found[0].task} on {_target(found)}")


def _column(place: Place, first: Any, *, named: bool) -> Any:
    size = f"{kit.count(place.rows)} rows" + (", capped" if place.cap else "") if place.rows else ""
    parts = [place.title, str(kit.titled(first)) if named else "", size]
    tip = f"{place.task}: {first.metric}: {first.convention}"
    return kit.Column(kit.clean(" \u00b7 ".join(filter(None, parts)), 80), tip=kit.clean(tip, 400))


def _quality(place: Place, row: Any) -> Any:
    """The number, with a mark where a constant guess does as well."""
    cell = kit.cell_of(row)
    if cell.text and not cell.mark and place.at_chance(row):
        guess = kit.number(place.chance, row.unit)
        cell = replace(cell, mark="at chance", tip=f"its interval reaches what a constant guess gets ({guess})")
    return cell


def _plain(_: Place, row: Any) -> Any:
    return kit.cell_of(row)


def _ranks(found: list[Place], label: dict[str, str]) -> Any:
    """Where each contender stands in each place: contenders of one tie group are not separable."""
    held = [place for place in found if any(kit.place(row)[0] < float("inf") for row in place.standings.values())]
    names = [name for name in label if name != "teacher" and any(name in place.standings for place in held)]
    if len(names) < 2:
        return kit.Markup("")
    tip = "Tie group by the metric that ranks there: ranges that overlap are not separable"
    columns = [kit.Column("Contender", number=False), *(kit.Column(place.title, tip=tip) for place in held)]
    rows = [kit.Row([kit.Cell(label[name]), *(_rank(place.standings.get(name)) for place in held)]) for name in names]
    table = kit.grid(columns, rows, f"Tie groups: {found[0].task} on {_target(found)}")
    return _heading("Tie groups") + kit.Markup('<div class="matrix">{}</div>').format(table)


def _rank(row: Any) -> Any:
    low, high = kit.place(row)
    if low == float("inf"):
        return kit.missing("apart" if str(kit.told(row, "verdict")) == "apart" else "not ranked", kit.told(row, "reason"))
    return kit.Cell(kit.ranks(low, high), low + high / 1000)


def _heading(text: str) -> Any:
    return kit.Markup("<h4>{}</h4>").format(kit.clean(text, 100))


def _target(found: list[Place]) -> str:
    return str(found[0].view.target or "all targets")


def _gaps(found: list[Place], label: dict[str, str]) -> Any:
    """The gap between the best and the worst served group of each group column of each place."""
    held = [(place, column, rows) for place in found for column, rows in place.gaps.items()]
    if not held:
        return kit.Markup("")
    heads = [kit.Column("Contender", number=False)]
    heads += [kit.Column(kit.clean(f"{p.title} \u00b7 {c}", 60), tip=kit.clean(f"{p.task}: gap by {c}", 200)) for p, c, _ in held]
    out = []
    for name, short in label.items():
        if any(name in rows for _, _, rows in held):
            cells = [kit.cell_of(rows.get(name)) for _, _, rows in held]
            out.append(kit.Row([kit.Cell(short), *cells], pinned=name == "teacher"))
    title = _heading("Gap between the best and the worst served group")
    return title + kit.grid(heads, out, f"Gaps between groups: {found[0].task} on {_target(found)}")


# --- pictures


def _agreement(found: list[Place], label: dict[str, str]) -> Any:
    held = [(place, numbers(place.held(AGREEMENT))) for place in found]
    return _picture(held, label, "Agreement with the teacher, at home and away", "value")


def _distance(found: list[Place], label: dict[str, str]) -> Any:
    held = [(place, numbers(place.main).dropna(subset=["delta"])) for place in found]
    held = [
        (place, frame.assign(value=frame["delta"], low=frame["delta_low"], high=frame["delta_high"])) for place, frame in held
    ]
    of = next((frame for _, frame in held if len(frame)), None)
    low = " (lower is better)" if of is not None and of["better"].iloc[0] == "lower" else ""
    return _picture(held, label, f"Quality minus the teacher's, at home and away{low}", "delta")


def _picture(held: list[tuple[Place, pd.DataFrame]], label: dict[str, str], title: str, field: str) -> Any:
    """One line a contender, one dot a place, of the places whose metric is that of the first. "" with fewer than two."""
    held = [(place, frame) for place, frame in held if len(frame)]
    held = [(place, frame) for place, frame in held if frame["metric"].iloc[0] == held[0][1]["metric"].iloc[0]]
    if len(held) < 2:
        return kit.Markup("")
    unit, parts = str(held[0][1]["unit"].iloc[0]), kit.labels([place.title for place, _ in held], 24)
    shown = kit.difference if field == "delta" else kit.number
    frame = pd.concat([
        pd.DataFrame({
            "who": [label[c] for c in rows["contender"]], "part": parts[place.title], "value": rows["value"], "low": rows["low"],
            "high": rows["high"], "shown": [f"{shown(v, unit)}" for v in rows["value"]],
        })
        for place, rows in held
    ])  # fmt: skip
    scale = {"domain": list(parts.values()), "range": [COLOURS[i % len(COLOURS)] for i in range(len(parts))]}
    by = {
        "field": "part", "type": "nominal", "title": None, "scale": scale, "sort": list(parts.values()),
        "legend": {"orient": "top", "labelLimit": 230, "columns": 1 if max(map(len, parts.values())) > 14 else 2},
    }  # fmt: skip
    points = {"labelExpr": "(datum.value ? format(datum.value * 100, '+~g') : '0') + ' pp'", "tickCount": 6}
    plain = {"format": "+~g" if field == "delta" else "~g", "tickCount": 6}
    ticks = plain if unit != "fraction" else points if field == "delta" else {**kit.axis(unit), "tickCount": 6}
    x = {"type": "quantitative", "scale": {"zero": field == "delta"}, "title": kit.unit_title(unit) or None, "axis": ticks}
    says = f"{title}: one line for each contender, one dot for each of {len(parts)} places, with intervals."
    table = frame[["who", "part", "shown"]].set_axis(["Contender", "Place", "Value"], axis=1)
    return kit.figure(kit.dots(frame, list(label.values()), x, by), title, says, table)
