"""Every number of a comparison in the terminal: one line a metric, one column a contender."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kdbench.nouns import Job, Suite
from kdbench.report import table
from kdbench.report.words import clean, stated
from kdbench.store import Missing, Store

WIDEST = 8
"""Contenders that a line has room for; the page has them all."""


def applies(store: Store, job: Job) -> bool:
    """Whether a metric says anything about some contender. One whose judging failed does: that must be seen."""
    rows = _rows(store, job)
    return not rows or any(row["status"] != "not applicable" for row in rows)


def compared(store: Store, jobs: Sequence[Job], suite: Suite) -> None:
    """Print the numbers of all contenders on the clean test rows, over seeds; a star where the paired interval excludes 0."""
    names = [row.name for row in suite.tasks[0].rows()][:WIDEST]
    lines = []
    for job in jobs:
        rows = _rows(store, job)
        for row in _first(rows):
            of = {other["contender"]: other for other in rows if _place(other) == _place(row)}
            cells = [_cell(of.get(name)) for name in names]
            if any(cells):
                lines.append([clean(_title(row), 48), *cells])
    if lines:
        heads = ["metric", *(clean(name, 30) for name in names)]
        table([{"title": f"{clean(suite.name, 60)}: all metrics, 95 % intervals", "heads": heads, "rows": lines}])


def _rows(store: Store, job: Job) -> list[dict[str, Any]]:
    """The numbers of the metric itself over seeds: of all test rows, without a shift or under all companion sets."""
    import pandas as pd  # noqa: PLC0415 - only where something was judged

    try:
        entry = store.open(job.key)
    except Missing:
        return []
    rows = pd.read_parquet(io.BytesIO(entry.bytes("rows.parquet"))).to_dict("records")
    use: Any = job.spec["metric"]
    own = [
        {str(k): v for k, v in row.items()}
        for row in rows
        if row["seed"] == -1 and row["metric"].partition("{")[0] == use["name"]
    ]
    return [row for row in own if row["shift"] in ("", "ood:*") and not {"=", ":"} & set(row["slice"])]


def _first(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One row for each place that contenders share."""
    return list({_place(row): row for row in reversed([*rows])}.values())[::-1]


def _place(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(row["metric"]), str(row["shift"]), str(row["slice"])


def _title(row: Mapping[str, Any]) -> str:
    """With the values of all parameters, those by default too: a coverage at risk says at which risk."""
    from kdbench.report.pick import parameters  # noqa: PLC0415 - only where something was judged

    params = parameters(row["convention"]) or str(row["metric"]).partition("{")[2].rstrip("}")
    beside = ", ".join(part for part in (params, str(row["slice"])) if part)
    return f"{row['title']} ({beside})" if beside else str(row["title"])


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None or row["status"] == "not applicable":
        return ""
    if row["value"] is None or row["value"] != row["value"]:
        return str(row["status"])
    sure = row["delta_low"] is not None and (row["delta_low"] > 0 or row["delta_high"] < 0)
    return stated(row["value"], row["low"], row["high"], str(row["unit"])) + (" *" if sure else "")
