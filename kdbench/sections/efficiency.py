"""How much there is to store, to hold and to compute, what a prediction takes, and when a student has paid for itself."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

from ._operations import picture

HOW = (
    "Below a number: its share of the teacher's. \u2265 stands before a count that leaves out operators without a formula; what "
    "the counter cannot see is undefined, never 0. Sizes and counts are of the model; memory, energy and time of this machine."
)
AXES = ("size", "memory", "compute", "energy")
INTEGERS = ("integer_operations", "operations")
PAID = ("training_cpu_seconds", "training_energy", "break_even", "break_even_energy")
PAID_HOW = (
    "After how many predictions the making of a student is paid back by what each of them saves against serving the teacher. The "
    "making of the teacher is not counted: it is there already."
)


@section(title="Size, memory and compute", order=82)
def efficiency(scores: pd.DataFrame, standings: pd.DataFrame) -> str:
    """Parameters, non-zeros, bytes, peak memory, operations and energy side by side, each as a share of the teacher's; operations
    against time; break-even.
    """
    drawn = kit.panels(scores, standings, _draw, "Neither sizes nor operations were counted here.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _draw(view: Any) -> str:
    rows = view.rows()
    rows = rows[rows["axis"].isin(AXES) & (rows["unit"] != "ratio") & ~rows["metric"].map(kit.derived).astype(bool)]
    known = kit.measured(rows)
    table = rows[rows["metric"].isin(known["metric"])]
    table = table[~table["metric"].isin(_without_news(known))]
    order = {axis: i for i, axis in enumerate(AXES)}
    table = table.iloc[table["axis"].map(order).argsort(kind="stable")]
    out = str(kit.by_contender(view, table, "Size, memory and compute", kit.titled)) if len(table) else ""
    out += str(_undefined(table)) + str(kit.without_number(rows))
    return out + str(picture(view)) + _paid(view)


def _without_news(known: pd.DataFrame) -> list[str]:
    """Columns that repeat another one: no integers are multiplied, nothing is an embedding."""
    value = {m: dict(zip(part["contender"], part["value"], strict=True)) for m, part in known.groupby("metric", sort=False)}
    out = [] if any(value.get("integer_operations", {}).values()) else [m for m in INTEGERS if "flops" in value]
    same = value.get("parameters_without_embeddings") == value.get("parameters")
    return [*out, *(["parameters_without_embeddings"] if same else [])]


def _undefined(table: pd.DataFrame) -> Any:
    """The counts that some rows lack, with the reason: a hover alone would hide that a column is not whole."""
    of = table[(table["axis"] == "compute") & (table["status"] == "undefined")]
    said = []
    for (title, reason), rows in of.groupby(["title", "reason"], sort=False):
        names = ", ".join(kit.clean(n, 30) for n in rows["contender"])
        said.append(f"{kit.clean(title, 40)} of {kit.clean(names, 200)} undefined: {kit.clean(reason, 200)}.")
    return kit.note(" ".join(said[:6])) if said else kit.Markup("")


def _paid(view: Any) -> str:
    """What it took to make each row, and after how many predictions that is paid back."""
    rows = view.rows()
    back = rows[rows["metric"].str.startswith("break_even") & (rows["contender"] != "teacher")]
    if back.empty:
        return ""
    held = {(r.contender, r.metric): r for r in kit.each(rows[rows["metric"].isin(PAID)])}
    first = {m: next(kit.each(rows[rows["metric"] == m])) for m in PAID if (rows["metric"] == m).any()}
    known = set(kit.measured(rows)["metric"]) | {m for m, r in first.items() if m == "break_even"}
    shown = [m for m in first if m in known]
    heads = [kit.Column("Contender", number=False)]
    heads += [kit.Column(_head(first[m]), tip=kit.clean(f"{m}: {first[m].convention}", 400)) for m in shown]
    lines = []
    for name, short in kit.short(view.scores, 40).items():
        if name != "teacher" and any((name, m) in held for m in shown):
            lines.append(kit.Row([kit.Cell(short), *(_cell(held.get((name, m))) for m in shown)]))
    table = kit.grid(heads, lines, f"Break-even: {view.task} on {view.target}")
    gone = rows[rows["metric"].isin([m for m in first if m not in known])]
    head = kit.Markup("<h4>Paid back after so many predictions</h4>")
    return str(head + kit.note(PAID_HOW) + table + kit.without_number(gone))


def _head(row: Any) -> str:
    title = str(kit.clean(kit.titled(row), 60))
    return f"{title}, predictions" if str(row.metric).startswith("break_even") else title


def _cell(row: Any) -> Any:
    if row is not None and str(row.metric).startswith("break_even") and row.status == "undefined":
        word = next((w for w in ("never", "not surely") if str(row.reason).startswith(w)), "undefined")
        return kit.missing(word, str(row.reason))
    return kit.Cell("\u2013") if row is None else kit.value_cell(row)
