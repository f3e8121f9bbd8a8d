"""The standings as tables of short texts: what a terminal shows, kept with the report so that showing it again is free."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench.report.pick import View, each, measured, place, titled, views
from kdbench.report.words import clean, difference, interval, number, ranks

HEADS = ("rank", "contender", "metric", "95 % interval", "minus teacher", "latency ratio", "size", "")


def tables(standings: pd.DataFrame, scores: pd.DataFrame) -> list[dict[str, Any]]:
    """One table {title, heads, rows} for each task and target. Text is stripped of control characters."""
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
        out.append({"title": title, "heads": [name if head == "metric" else head for head in HEADS], "rows": lines(view, of)})
    return out


def lines(view: View, of: pd.DataFrame) -> list[list[str]]:
    """The cells of each row: the teacher first, then by rank; rows without a rank last, with their reason."""
    main = view.rows(metric=view.primary)
    unit = str(main["unit"].iloc[0]) if len(main) else "fraction"
    extra = {m: {r.contender: r for r in each(measured(view.rows(metric=m)))} for m in ("latency_ratio", "bytes_on_disk")}
    out = []
    for row in sorted(each(of), key=lambda r: (r.contender != "teacher", *place(r))):
        delta = "" if row.contender == "teacher" or pd.isna(row.delta) else difference(row.delta, unit) + _sure(row)
        value = [number(row.value, unit), interval(row.low, row.high, unit)]
        cells = [ranks(row.rank_low, row.rank_high), clean(row.contender, 40), *value, delta]
        cells += [_one(extra[m].get(row.contender)) for m in extra]
        out.append([*cells, clean(row.reason, 100) if pd.isna(row.value) or not row.complete else ""])
    return out


def _sure(row: Any) -> str:
    """A star where the paired interval excludes 0."""
    return " *" if row.delta_low > 0 or row.delta_high < 0 else ""


def _one(row: Any) -> str:
    return "" if row is None else number(row.value, row.unit) + (" noisy" if row.status == "noisy" else "")
