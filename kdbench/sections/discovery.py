"""Where a contender loses most against the teacher: slices nobody named beforehand."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

HOW = (
    "Parts of the test rows in which a contender falls furthest behind the teacher. They were searched for in one half of the "
    "rows; the numbers are from the other half, and only a slice whose loss shows there again counts as confirmed."
)

LEVEL = 0.05


@section(title="Where it loses most", order=70)
def discovery(scores: pd.DataFrame, standings: pd.DataFrame, discoveries: pd.DataFrame) -> str:
    """The slices that were found, the largest loss first; nothing where none was looked for."""
    if discoveries.empty:
        return ""
    drawn = kit.panels(scores, standings, lambda view: _draw(view, discoveries), "No slice was confirmed here.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _draw(view: Any, discoveries: pd.DataFrame) -> str:
    of = kit.of_view(discoveries, view)
    if of.empty:
        return ""
    main = view.rows(metric=view.primary)
    unit = str(main["unit"].iloc[0]) if len(main) else "fraction"
    lower = len(main) > 0 and main["better"].iloc[0] == "lower"
    of = of.sort_values("delta", ascending=not lower, kind="stable")
    sure = ((of["delta_low"] > 0) if lower else (of["delta_high"] < 0)) & ~(of["p_holm"] >= LEVEL)
    found, rest = of[sure], of[~sure]
    many = kit.plural(len(of), "candidate slice")
    said = (
        f"{len(found)} of {many} confirmed." if len(found) else f"None of {many} was confirmed: no loss shows in the other half."
    )
    parts = [kit.note(said)]
    parts += [_table(view, found, (unit, lower), "confirmed")] if len(found) else []
    parts += (
        [kit.fold("Candidates that were not confirmed", str(_table(view, rest, (unit, lower), "not confirmed")))]
        if len(rest)
        else []
    )
    return "".join(map(str, parts))


def _table(view: Any, of: pd.DataFrame, way: tuple[str, bool], what: str) -> Any:
    """A line for each slice. way: unit, and whether lower is better; what: ends the caption."""
    label = kit.short(view.scores, 30)
    searched: dict[str, list[str]] = {}
    for row in kit.each(of):
        searched.setdefault(str(kit.told(row, "found_on")), []).append(label.get(str(row.contender), str(row.contender)))
    found = [
        f"{where} ({', '.join(dict.fromkeys(who))})" if len(searched) > 1 else where for where, who in searched.items() if where
    ]
    heads = [("Slice", False), ("Contender", False), ("n", True), ("Contender's", True), ("Teacher's", True)]
    heads += [("Difference", True), ("p, corrected", True)]
    rows = [kit.Row(_cells(row, label, *way)) for row in kit.each(of)]
    columns = [kit.Column(title, number=number) for title, number in heads]
    where = kit.note(f"Searched: {'; '.join(kit.clean(f, 100) for f in found if f)}.") if any(found) else ""
    table = kit.grid(columns, rows, f"Slices of {view.task} on {view.target}: {what}", tools="slices" if len(rows) > 8 else "")
    return str(table) + str(where)


def _cells(row: Any, label: dict[str, str], unit: str, lower: bool) -> list[Any]:
    low, high, p = (float(kit.told(row, n, float("nan"))) for n in ("delta_low", "delta_high", "p_holm"))
    worse, better = (low > 0, high < 0) if lower else (high < 0, low > 0)
    word, kind = ("worse", "bad") if worse else ("better", "good") if better else ("not separable", "level")
    ends = f"{kit.difference(low, unit)} to {kit.difference(high, unit)}" if low == low else ""
    name = str(row.contender)
    return [
        kit.Cell(kit.clean(row.slice, 160)),
        kit.Cell(label.get(name, kit.clean(name, 30))),
        kit.Cell(kit.count(kit.told(row, "n")), float(kit.told(row, "n", 0))),
        *(_value(float(kit.told(row, n, float("nan"))), unit) for n in ("value", "teacher")),
        kit.Cell(kit.difference(float(row.delta), unit), round(float(row.delta), 7), ends, word, "", kind),
        kit.Cell("< 0.0001" if p < 0.0001 else kit.number(p) or "\u2013", None if p != p else float(f"{p:.6g}")),
    ]


def _value(value: float, unit: str) -> Any:
    return kit.Cell(kit.number(value, unit) or "\u2013", None if value != value else round(value, 7))
