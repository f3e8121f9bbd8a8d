"""Who beats whom."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

WINS = {"BEATS": True, "WORSE": False}
LEGEND = (
    "Row against column. \u25b2 the row is better, \u25bc worse, after Holm's correction over the table; \u2248 inconclusive. "
    "Hover for the difference, its interval and p."
)


@section(title="Pairs", order=100)
def pairs(scores: pd.DataFrame, standings: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """A matrix of the verdicts over all pairs."""
    drawn = kit.panels(scores, standings, lambda view: _matrix(view, pairs), "Nothing was compared here.")
    return str(drawn + kit.note(LEGEND))


def _matrix(view: Any, pairs: pd.DataFrame) -> str:
    of = pairs[(pairs["task"] == view.task) & (pairs["target"] == view.target)] if len(pairs) else pairs
    if of.empty:
        return ""
    main = view.rows(metric=view.primary)
    unit = str(main["unit"].iloc[0]) if len(main) else "fraction"
    held = {(r.a, r.b): (r, 1.0) for r in kit.each(of)}
    held |= {(b, a): (r, -1.0) for (a, b), (r, _) in list(held.items())}
    label = kit.short(view.scores, 22)
    names = [n for n in label if any(n in key for key in held)]
    columns = [kit.Column("", number=False), *(kit.Column(label[n], number=False) for n in names)]
    rows = []
    for a in names:
        cells = [kit.Cell(label[a])]
        for b in names:
            cells.append(kit.Cell("\u00b7", kind="self") if a == b else _cell(held.get((a, b)), unit))
        rows.append(kit.Row(cells))
    return f'<div class="matrix">{kit.grid(columns, rows, f"Pairs of {view.task} on {view.target}", sortable=False)}</div>'


def _cell(found: Any, unit: str) -> Any:
    if found is None or pd.isna(found[0].delta):
        return kit.Cell("\u2013", tip="not compared: a result is missing", kind="none")
    row, sign = found
    delta = sign * float(row.delta)
    ends = sorted((sign * float(row.low), sign * float(row.high)))
    between = f"{kit.difference(ends[0], unit)} to {kit.difference(ends[1], unit)}"
    tip = f"{kit.difference(delta, unit)} ({between}), corrected p {kit.number(float(row.p_holm))}"
    if row.verdict not in WINS:
        return kit.Cell("\u2248", tip=f"{kit.clean(row.verdict, 40).lower()}: {tip}", kind="level")
    won = (sign > 0) == WINS[row.verdict]
    return kit.Cell("\u25b2", tip=tip, kind="good") if won else kit.Cell("\u25bc", tip=tip, kind="bad")
