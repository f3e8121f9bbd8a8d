"""Every number of every contender: sortable, the teacher on top."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

LEGEND = (
    "Fractions are shown in percent, their differences in percentage points (pp). Small: 95 % interval. "
    "\u25b2 better, \u25bc worse than the teacher, where the paired interval excludes 0; \u2248 not separable. "
    "For cost and size: the share of the teacher's. Click a heading to sort; hover or Tab to a mark for its reason."
)
GROUPS = {"ood": "out of distribution", "bias": "groups"}
FIRST = ("quality", "fidelity", "calibration", "robustness", "out of distribution", "groups", "latency", "memory", "compute")
COST = ("latency", "memory", "compute", "size", "cost")


@section(title="Leaderboard", order=20)
def leaderboard(
    scores: pd.DataFrame,
    standings: pd.DataFrame,
    *,
    headline: tuple[str, ...] = (
        "agreement", "ece", "ood_auroc", "latency_ratio", "peak_memory", "flops", "bytes_on_disk", "training_cpu_seconds"
    ),
) -> str:  # fmt: skip
    """Columns are grouped by axis; those in `headline` and the metric of the standings are seen at first, others on demand."""
    names = kit.short(scores, 40)
    drawn = kit.panels(scores, standings, lambda view: _table(view, standings, names, headline), "Nothing was measured here.")
    return str(drawn + kit.note(LEGEND))


def _table(view: Any, standings: pd.DataFrame, names: dict[str, str], headline: tuple[str, ...]) -> str:
    of = standings[(standings["task"] == view.task) & (standings["target"] == view.target)]
    place = {str(row.contender): row for row in kit.each(of)}
    wanted = _wanted(view, headline)
    rows_of = {key: {str(r.contender): r for r in kit.each(part)} for key, _, part in wanted}
    columns = [
        kit.Column("Contender", number=False),
        kit.Column("Rank", tip="Tie group: contenders whose ranges overlap are not separable"),
    ]
    columns += [column for _, column, _ in wanted]
    order = sorted(names, key=lambda n: (n != "teacher", *kit.place(place.get(n))))
    present = set(view.scores["contender"]) | set(place)
    rows = []
    for name in (n for n in order if n in present):
        cells = [_name(name, names, place.get(name)), _rank(place.get(name), name)]
        cells += [_cell(rows_of[key].get(name), place.get(name)) for key, _, _ in wanted]
        rows.append(kit.Row(cells, pinned=name == "teacher"))
    return str(kit.grid(columns, rows, f"Leaderboard of {view.task} on {view.target}", tools=True))


def _wanted(view: Any, headline: tuple[str, ...]) -> list[tuple[Any, Any, pd.DataFrame]]:
    """(key, column, rows) of each column: clean numbers, means over all shifts, outside sets, gap and worst group.

    By group only the metric of the standings and those whose axis is bias; the rest is in the sections and the files.
    """
    of_bias = {*view.rows(axis="bias")["metric"], view.primary}
    shifts = set(view.scores["shift"])
    outside = "ood:*" if len([s for s in shifts if s.startswith("ood:")]) > 2 else ""
    out = []
    for key, part in view.scores.groupby(["metric", "shift", "severity", "slice"], sort=False):
        metric, shift, severity, piece = key
        foreign = shift.startswith("ood:")
        if (
            severity
            or (piece and not piece.endswith((":gap", ":worst")))
            or (piece and (shift or metric not in of_bias))
            or (shift == "ood:*" and not outside)
        ):
            continue
        if shift and not foreign and shift != "*" and "*" in shifts:
            continue
        main, named = metric == view.primary, str(metric).split("{")[0] in headline
        if foreign:
            shown = named and shift in (outside or shift)
        elif piece:
            shown = main and piece.endswith(":worst")
        else:
            shown = main or (named and not shift)
        first = next(kit.each(part))
        group = GROUPS.get(first.axis, str(first.axis))
        tip = kit.clean(f"{metric}: {first.convention}", 400)
        out.append((key, kit.Column(_heading(kit.titled(first), shift, piece), group, tip, extra=not shown), part))
    known = list(dict.fromkeys([*FIRST, *(column.group for _, column, _ in out)]))
    out.sort(key=lambda one: (known.index(one[1].group), one[1].extra, one[0][0] != view.primary))
    return out


def _heading(title: str, shift: str, piece: str) -> str:
    more = {"": "", "*": "shifted", "ood:*": "all sets"}.get(shift, shift.removeprefix("ood:"))
    if ":" in piece:
        column, what = piece.rsplit(":", 1)
        more = f"{what} of {column}" if what == "gap" else f"{what} {column}"
    return str(kit.clean(title, 44) + (f", {kit.clean(more, 24)}" if more else ""))


def _name(name: str, names: dict[str, str], row: Any) -> Any:
    small = "the reference" if name == "teacher" else ""
    if row is not None and not row.complete:
        small = "does not run here" if row.status == "not applicable" else "incomplete"
        return kit.Cell(names[name], small=small, tip=kit.clean(row.reason) or "some evidence is missing", kind="gone")
    return kit.name_cell(name if names[name] == kit.clean(name, 40) else names[name], small)


def _rank(row: Any, name: str) -> Any:
    if kit.place(row)[0] == float("inf"):
        return kit.Cell(
            "\u2013", tip="the contenders are ranked, not the reference" if name == "teacher" else "no rank: no complete result"
        )
    return kit.Cell(kit.ranks(row.rank_low, row.rank_high), float(row.rank_low) + float(row.rank_high) / 1000)


def _cell(row: Any, main: Any) -> Any:
    if row is None:
        return kit.absent(main)
    if row.contender == "teacher" or row.axis == "export":
        return kit.value_cell(row)
    if row.axis in COST:
        share = row.value / row.teacher if row.teacher and row.unit != "ratio" else float("nan")
        said = kit.number(share, "ratio")
        return kit.value_cell(row, delta=(said, "the teacher's", "level") if said else ("", "", ""))
    return kit.value_cell(row, delta=kit.against_teacher(row))
