"""Every number of every contender: sortable, the teacher on top."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from kdbench import kit, section

LEGEND = (
    "Rank: a tie group; contenders whose ranges overlap are not separable. Apart: not ranked, for the reason given. "
    "Fractions are shown in percent, their differences in percentage points (pp). Small: 95 % interval. "
    "\u25b2 better, \u25bc worse than the teacher, where the paired interval excludes 0; \u2248 not separable. "
    "For cost and size: the share of the teacher's. Click a heading to sort; hover or Tab to a mark for its reason."
)
GROUPS = {"ood": "out of distribution", "bias": "groups"}
FIRST = (
    "quality", "fidelity", "calibration", "robustness", "out of distribution", "groups", "latency", "memory", "energy", "compute"
)  # fmt: skip
OWN = ("fidelity", "calibration", "selective", "training", "export", *kit.COST)
"""Axes with a table of their own in another section: only headlines stand here."""
VERDICTS = {"BEATS": "good", "NO": "bad", "WORSE": "bad"}


@section(title="Leaderboard", order=20)
def leaderboard(
    scores: pd.DataFrame,
    standings: pd.DataFrame,
    pareto: pd.DataFrame,
    *,
    headline: tuple[str, ...] = (
        "agreement", "ece", "ood_auroc", "latency_ratio", "peak_memory", "flops", "bytes_on_disk", "training_cpu_seconds"
    ),
) -> str:  # fmt: skip
    """Columns are grouped by axis; those in `headline` and the metric of the standings are seen at first, others on demand."""
    names = kit.short(scores, 40)
    empty = "Nothing was measured here."
    drawn = kit.panels(scores, standings, lambda view: _table(view, (standings, pareto), names, headline), empty)
    return str(drawn + kit.note(LEGEND)) if drawn else ""


def _table(view: Any, tables: tuple[pd.DataFrame, ...], names: dict[str, str], headline: tuple[str, ...]) -> str:
    place, front = ({str(row.contender): row for row in kit.each(_one_each(kit.of_view(table, view)))} for table in tables)
    wanted = _wanted(view, headline)
    main = int(bool(wanted) and wanted[0][0][0] == view.primary)  # the number that ranks stands beside the rank
    rows_of = {key: {str(r.contender): r for r in kit.each(part)} for key, _, part in wanted}
    heads, lead = _lead(place, front)
    best = {name: i for i, name in enumerate(place)}  # the standings have the best first, within a tie group too
    order = sorted(names, key=lambda n: (n != "teacher", *kit.place(place.get(n)), _off(place.get(n)), best.get(n, len(best))))
    present = set(view.scores["contender"]) | set(place)
    rows = []
    for name in (n for n in order if n in present):
        numbers = [_cell(rows_of[key].get(name), place.get(name)) for key, _, _ in wanted]
        first, *others = lead(name)
        cells = [_name(name, names, place.get(name)), first, *numbers[:main], *others, *numbers[main:]]
        rows.append(kit.Row(cells, pinned=name == "teacher"))
    titles = [column for _, column, _ in wanted]
    columns = [kit.Column("Contender", number=False), heads[0], *titles[:main], *heads[1:], *titles[main:]]
    return str(kit.grid(columns, rows, f"Leaderboard of {view.task} on {view.target}", tools="contenders"))


def _one_each(table: pd.DataFrame) -> pd.DataFrame:
    """The first row of each contender: of several Pareto fronts the first."""
    return table.drop_duplicates("contender") if len(table) else table


def _lead(place: dict[str, Any], front: dict[str, Any]) -> tuple[list[Any], Callable[[str], list[Any]]]:
    """The columns that are no metric: rank, verdict against the teacher, chance to be on the Pareto front."""
    made: list[tuple[Any, Callable[[str], Any]]] = [
        (kit.Column("Rank", tip="Tie group: ranges that overlap are not separable"), lambda n: _rank(place.get(n), n))
    ]
    if "teacher" in place and len(place) > 1:
        tip = "Against the teacher, on the metric of the standings, corrected for all pairs"
        made.append((kit.Column("Against teacher", tip=tip, number=False), lambda n: _verdict(place.get(n))))
    if front:
        axes = kit.clean(next((kit.told(r, "axes") for r in front.values()), ""), 200)
        tip = f"On the Pareto front: share of the resamples in which no other contender is better in all of: {axes}"
        made.append((kit.Column("P(front)", tip=tip), lambda n: _front(front.get(n))))
    return [column for column, _ in made], lambda name: [cell(name) for _, cell in made]


def _verdict(row: Any) -> Any:
    said = str(kit.told(row, "verdict"))
    if said in ("", "apart", "reference", "no result"):
        return kit.Cell("\u2013")
    return kit.Cell(kit.clean(said, 20), kind=f"verdict {VERDICTS.get(said, 'level')}")


def _front(row: Any) -> Any:
    chance = float(kit.told(row, "p_front", float("nan")))
    return kit.Cell("\u2013") if chance != chance else kit.Cell(kit.number(chance, "fraction"), round(chance, 6))


def _off(row: Any) -> int:
    """Those apart after those with a rank, what is not whole after both."""
    return 0 if row is None else 1 if row.verdict == "apart" else 2


def _wanted(view: Any, headline: tuple[str, ...]) -> list[tuple[Any, Any, pd.DataFrame]]:
    """(key, column, rows) of each column: clean numbers, means over all shifts, outside sets, gap and worst group.

    By group only the metric of the standings and those that compare groups themselves; the rest is in the sections and the files.
    """
    shifts, unshifted = set(view.scores["shift"]), set(view.rows()["metric"])
    outside = "ood:*" if len([s for s in shifts if s.startswith("ood:")]) > 2 else ""
    out = []
    for key, part in view.scores.groupby(["metric", "shift", "severity", "slice"], sort=False):
        metric, shift, severity, piece = key
        foreign = shift.startswith("ood:")
        if (
            severity
            or (piece and not piece.endswith((":gap", ":worst")) and (":" in piece or "=" in piece))
            or (piece and (shift or "*" in piece or (":" in piece and metric != view.primary)))
            or (shift == "ood:*" and not outside)
            or _elsewhere(part, str(metric), headline)
            or (metric != view.primary and kit.measured(part).empty)  # a column of reasons: the sections have them
        ):
            continue
        if shift and not foreign and shift != "*" and "*" in shifts:
            continue
        main, named = metric == view.primary, str(metric).split("{")[0] in headline
        if (shift == "*" and not (main or named or metric not in unshifted)) or "{of=" in str(metric):
            continue  # the means over the shifts of every other metric are in the files
        if foreign:
            shown = named and shift in (outside or shift)
        elif piece:
            shown = main and piece.endswith(":worst")
        else:
            shown = main or (named and not shift)
        first = next(kit.each(part))
        group = GROUPS.get(first.axis, str(first.axis))
        tip = kit.clean(f"{metric}: {first.convention}", 400)
        heading = _heading(kit.titled(first), shift if metric in unshifted or foreign else "", piece)
        out.append((key, kit.Column(heading, group, tip, extra=not shown), part))
    known = list(dict.fromkeys([*FIRST, *(column.group for _, column, _ in out)]))
    out.sort(key=lambda one: (known.index(one[1].group), one[1].extra, one[0][0] != view.primary))
    return out


def _elsewhere(part: pd.DataFrame, metric: str, headline: tuple[str, ...]) -> bool:
    """Whether a column belongs to a section with its own table, and is no headline."""
    return (part["axis"].iloc[0] in OWN or kit.derived(metric)) and metric.split("{")[0] not in headline


def _heading(title: str, shift: str, piece: str) -> str:
    more = {"": "", "*": "shifted", "ood:*": "all sets"}.get(shift, shift.removeprefix("ood:"))
    if ":" in piece:
        column, what = piece.rsplit(":", 1)
        more = f"{what} of {column}" if what == "gap" else f"{what} {column}"
    elif piece:
        more = f"by {piece}"
    return str(kit.clean(title, 44) + (f", {kit.clean(more, 24)}" if more else ""))


def _name(name: str, names: dict[str, str], row: Any) -> Any:
    small = "the reference" if name == "teacher" else ""
    if row is not None and row.verdict == "apart":
        return kit.Cell(
            names[name], small="apart", tip=kit.clean(kit.why_apart(row)) or "not ranked with the others", kind="gone"
        )
    if row is not None and not row.complete:
        small = "does not run here" if row.status == "not applicable" else "incomplete"
        return kit.Cell(names[name], small=small, tip=kit.clean(row.reason) or "some evidence is missing", kind="gone")
    return kit.name_cell(name if names[name] == kit.clean(name, 40) else names[name], small)


def _rank(row: Any, name: str) -> Any:
    if str(kit.told(row, "verdict")) == "apart":
        return kit.missing("apart", kit.clean(kit.why_apart(row)) or "not ranked with the others")
    if kit.place(row)[0] == float("inf"):
        return kit.Cell(
            "\u2013", tip="the contenders are ranked, not the reference" if name == "teacher" else "no rank: no complete result"
        )
    return kit.Cell(kit.ranks(row.rank_low, row.rank_high), float(row.rank_low) + float(row.rank_high) / 1000)


def _cell(row: Any, main: Any) -> Any:
    return kit.absent(main) if row is None else kit.cell_of(row)
