"""The standings as tables of short texts: what a terminal shows, kept with the report so that showing it again is free."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from kdbench.report.pick import View, each, facing, measured, place, titled, views, why_apart
from kdbench.report.words import clean, difference, interval, number, ranks

HEADS = ("rank", "contender", "metric", "95 % interval", "minus teacher", "verdict")
BESIDE = {"agreement": "agreement", "ece": "ECE", "latency_ratio": "latency ratio", "bytes_on_disk": "size"}
"""Metrics with a column of their own, where anything was measured."""
PAIR_HEADS = ("a", "b", "verdict", "a minus b", "95 % interval", "p, corrected", "McNemar b/c", "remark")
FEW = 3
"""So many comparisons are printed one by one; more are on the page."""


def tables(standings: pd.DataFrame, scores: pd.DataFrame, pairs: pd.DataFrame | None = None) -> list[dict[str, Any]]:
    """One table {title, heads, rows} for each task and target; below it its comparisons, where they are few.

    Text is stripped of control characters.
    """
    out: list[dict[str, Any]] = []
    if standings.empty:
        return out
    for view in views(scores, standings):
        of = standings[(standings["task"] == view.task) & (standings["target"] == view.target)]
        if of.empty:
            continue
        main = view.rows(metric=view.primary)
        name = clean(titled(next(main.itertuples())), 40) if len(main) else clean(view.primary, 40)
        title = f"{clean(view.task, 60)} on {clean(view.target, 60)}"
        beside = {m: {r.contender: r for r in each(measured(view.rows(metric=m)))} for m in BESIDE if m != view.primary}
        beside = {m: held for m, held in beside.items() if held}
        heads = [*(name if head == "metric" else head for head in HEADS), *(BESIDE[m] for m in beside), ""]
        alone = len(of) == 1 or not (of["contender"] == "teacher").any()
        rows, skip = lines(view, of, list(beside.values())), {4, 5} if alone else set()
        rows = [[cell for i, cell in enumerate(row) if i not in skip] for row in rows]
        out.append({"title": title, "heads": [head for i, head in enumerate(heads) if i not in skip], "rows": rows})
        out += _compared(view, pairs, title)
    return out


def lines(view: View, of: pd.DataFrame, beside: list[dict[str, Any]]) -> list[list[str]]:
    """The cells of each row: the teacher first, then by rank; rows apart and without a result last, with their reason.

    beside: of each further metric its row by contender.
    """
    main = view.rows(metric=view.primary)
    unit = str(main["unit"].iloc[0]) if len(main) else "fraction"
    out = []
    for row in sorted(each(of), key=lambda r: (r.contender != "teacher", *place(r), not r.complete)):
        delta = "" if row.contender == "teacher" or pd.isna(row.delta) else difference(row.delta, unit) + _sure(row)
        value = [number(row.value, unit), interval(row.low, row.high, unit)]
        said = "" if row.verdict == "reference" else clean(row.verdict, 20)
        cells = [ranks(row.rank_low, row.rank_high), clean(row.contender, 40), *value, delta, said]
        cells += [_one(held.get(row.contender)) for held in beside]
        why = why_apart(row) if row.verdict == "apart" else row.reason if pd.isna(row.value) or not row.complete else ""
        out.append([*cells, clean(why, 100)])
    return out


def _compared(view: View, pairs: pd.DataFrame | None, title: str) -> list[dict[str, Any]]:
    """The comparisons of one table, as a table: none where there are many."""
    if pairs is None or pairs.empty:
        return []
    of = facing(pairs[(pairs["task"] == view.task) & (pairs["target"] == view.target)])
    if not 0 < len(of) <= FEW:
        return []
    main = view.rows(metric=view.primary)
    unit = str(main["unit"].iloc[0]) if len(main) else "fraction"
    return [{"title": f"{title}: comparisons", "heads": list(PAIR_HEADS), "rows": [_pair(row, unit) for row in each(of)]}]


def _pair(row: Any, unit: str) -> list[str]:
    b, c = (getattr(row, name, math.nan) for name in ("mcnemar_b", "mcnemar_c"))
    ends = [difference(end, unit) for end in (row.low, row.high)]
    counts = "" if pd.isna(b) or pd.isna(c) else f"{b:.0f} / {c:.0f} (p {_p(row.mcnemar_p)})"
    cells = [clean(row.a, 40), clean(row.b, 40), clean(row.verdict, 20), difference(row.delta, unit)]
    return [*cells, " to ".join(ends) if all(ends) else "", _p(row.p_holm), counts, clean(getattr(row, "needed", "") or "", 100)]


def _p(value: float) -> str:
    return "" if pd.isna(value) else "< 0.0001" if value < 0.0001 else number(float(value))


def _sure(row: Any) -> str:
    """A star where the paired interval excludes 0."""
    return " *" if row.delta_low > 0 or row.delta_high < 0 else ""


def _one(row: Any) -> str:
    return "" if row is None else number(row.value, row.unit) + (" noisy" if row.status == "noisy" else "")
