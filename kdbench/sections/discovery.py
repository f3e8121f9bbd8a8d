"""Where a contender loses most against the teacher: slices nobody named beforehand."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

HOW = (
    "Parts of the test rows in which a contender falls furthest behind the teacher. They were searched for in one half of the "
    "rows; the numbers are from the other half."
)


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
    sure = (of["delta_low"] > 0) if lower else (of["delta_high"] < 0)
    of = of.assign(sure=~sure).sort_values(["sure", "delta"], ascending=[True, not lower], kind="stable")
    label = kit.short(view.scores, 30)
    found = list(dict.fromkeys(str(kit.told(r, "found_on")) for r in kit.each(of)))
    heads = [
        ("Slice", False),
        ("Contender", False),
        ("n", True),
        ("Contender's", True),
        ("Teacher's", True),
        ("Difference", True),
    ]
    heads += [("p, corrected", True), *([("Searched", False)] if len(found) > 1 else [])]
    rows = [kit.Row(_cells(row, label, unit, lower)[: len(heads)]) for row in kit.each(of)]
    columns = [kit.Column(title, number=number) for title, number in heads]
    where = kit.note(f"Searched: {found[0]}.") if len(found) == 1 and found[0] else ""
    table = kit.grid(columns, rows, f"Slices of {view.task} on {view.target}", tools="slices" if len(rows) > 8 else "")
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
        kit.Cell(kit.clean(kit.told(row, "found_on"), 60)),
    ]


def _value(value: float, unit: str) -> Any:
    return kit.Cell(kit.number(value, unit) or "\u2013", None if value != value else round(value, 7))
