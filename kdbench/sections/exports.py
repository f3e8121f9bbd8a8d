"""Whether what runs on a target says what the original says, and if not, where it begins to differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdbench import kit, section

HOW = (
    "Every exported model was compared with the original network on all test rows. The difference that counts is relative to the "
    "row's largest logit; a changed decision that rounding cannot explain fails the check whatever the difference."
)
CHANGED = "Changed decisions"
NARROW = "Among narrow decisions"


@section(title="Export check", order=92)
def exports(scores: pd.DataFrame, standings: pd.DataFrame, exports: pd.DataFrame) -> str:
    """For each contender and target: largest difference beside its tolerance, changed decisions, those among narrow decisions,
    and the first inner value that differs.
    """
    drawn = kit.panels(scores, standings, lambda view: _draw(view, exports), "Nothing was exported to this target.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _draw(view: Any, exports: pd.DataFrame) -> str:
    of = kit.of_view(exports, view)
    if of.empty:
        return ""
    label = kit.short(view.scores, 40)
    label |= kit.labels((n for n in of["contender"] if n not in label), 40)
    rows = [(r, [_verdict(r), _size(r), _flips(r), _narrow(r), _where(r)]) for r in kit.each(of)]
    heads = [
        kit.Column("Check", number=False),
        kit.Column("Largest difference", tip="Of any logit, relative to the row's largest one; below it the tolerance"),
        kit.Column(CHANGED, tip="Test rows decided otherwise than by the original, and those that rounding does not explain"),
        kit.Column(NARROW, tip="Changed decisions among the rows whose two best logits are closest, where rounding shows first"),
        kit.Column("First difference", tip="The first module of the network whose value is off, in the order of the computation",
                   number=False),
    ]  # fmt: skip
    keep = [i for i in range(len(heads)) if i < 3 or any(cells[i].text != "\u2013" for _, cells in rows)]
    names = [kit.Cell(label[str(r.contender)]) for r, _ in rows]
    lines = [
        kit.Row([name, *(cells[i] for i in keep)], r.contender == "teacher") for name, (r, cells) in zip(names, rows, strict=True)
    ]
    columns = [kit.Column("Contender", number=False), *(heads[i] for i in keep)]
    table = kit.grid(columns, lines, f"Export check: {view.task} on {view.target}")
    return str(table + _why(of) + _unchecked(view, of))


def _verdict(row: Any) -> Any:
    ok = bool(kit.told(row, "passed", False))
    return kit.Cell("passed" if ok else "failed", kind=f"verdict {'good' if ok else 'bad'}")


def _number(row: Any, name: str) -> float:
    value = kit.told(row, name, math.nan)
    return float(value) if isinstance(value, int | float) else math.nan


def _size(row: Any) -> Any:
    off, allowed = _number(row, "max_rel"), _number(row, "tolerance")
    said = f"tolerance {kit.number(allowed, 'score')}" if allowed == allowed else ""
    return kit.Cell(kit.number(off, "score") or "\u2013", None if off != off else off, said)


def _flips(row: Any) -> Any:
    flips, beyond = _number(row, "flips"), _number(row, "flips_beyond")
    if flips != flips:
        return kit.Cell("\u2013")
    ids = kit.told(row, "flip_ids", [])
    tip = f"rows {', '.join(kit.clean(i, 30) for i in ids[:8])}" if isinstance(ids, list | tuple) and ids else ""
    more = f"{kit.count(beyond)} beyond rounding" if beyond > 0 else ""
    return kit.Cell(f"{kit.count(flips)} of {kit.count(row.n)}", flips, more, tip=tip)


def _narrow(row: Any) -> Any:
    n, flips, off = (_number(row, f"narrow_{what}") for what in ("n", "flips", "max_rel"))
    if n != n or flips != flips:
        return kit.Cell("\u2013")
    margin = _number(row, "narrow_margin")
    tip = f"margin up to {kit.number(margin, 'score')} of the largest logit; largest difference {kit.number(off, 'score')}"
    return kit.Cell(f"{kit.count(flips)} of {kit.count(n)}", flips, tip=tip if margin == margin else "")


def _where(row: Any) -> Any:
    held = kit.told(row, "first_divergence", None)
    if not isinstance(held, Mapping):
        return kit.Cell("\u2013")
    by = held.get("difference")
    said = f"by {kit.number(by, 'score')} of its largest value" if isinstance(by, float) and kit.number(by) else ""
    if held.get("module"):
        return kit.Cell(kit.clean(held["module"], 120), small=said, kind="long")
    return kit.Cell("not found", tip=kit.clean(held.get("reason") or "", 300), kind="long")


def _why(of: pd.DataFrame) -> Any:
    """Why a tolerance is wider than that of float32."""
    said = [kit.clean(r, 200) for r in dict.fromkeys(of["tolerance_reason"].fillna("").astype(str)) if r and r != "None"]
    return kit.note(f"Wider tolerance: {'; '.join(said)}.") if said else kit.Markup("")


def _unchecked(view: Any, of: pd.DataFrame) -> Any:
    """The rows that could not be checked, with the reason."""
    rows = view.rows(metric="export_flips")
    rows = rows[rows["status"].isin(["failed", "skipped"]) & ~rows["contender"].isin(of["contender"])]
    said = "; ".join(f"{kit.clean(r.contender, 40)} ({kit.clean(r.reason, 160)})" for r in kit.each(rows))
    return kit.note(f"Not checked: {said}.") if said else kit.Markup("")
