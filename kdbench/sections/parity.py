"""Whether the rows were made under like conditions, and which are therefore not ranked with the others."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

UNKNOWN = ("", "none", "not recorded", "as it starts", "a folder")
LAST = "best_minus_last"
HOW = (
    "Only facts in which rows differ are columns. \u2260 marks what is unlike most contenders: a difference in the numbers may "
    "then come from the recipe, not from the method."
)


@section(title="Recipe parity", order=90)
def parity(scores: pd.DataFrame, standings: pd.DataFrame, parity: pd.DataFrame) -> str:
    """One table a task; below it the rows that stand apart and why, and best minus last epoch where the record exists."""
    if parity["value"].astype(str).isin(UNKNOWN).all():
        return ""
    tasks = {t: i for i, t in enumerate(scores["task"].unique())}
    out = kit.how(HOW)
    for task, part in parity.groupby("task", sort=False):
        inner = _table(part, str(task), _last(scores, str(task))) + _apart(standings, str(task))
        out += kit.box((tasks.get(task, ""), ""), (kit.clean(task, 80), ""), inner)
    return str(out)


def _last(scores: pd.DataFrame, task: str) -> dict[str, Any]:
    """Contender -> its row of best minus last epoch."""
    over = kit.over_seeds(scores[(scores["task"] == task) & scores["metric"].str.startswith(LAST)])
    return {str(r.contender): r for r in kit.each(over.drop_duplicates("contender"))}


def _table(part: pd.DataFrame, task: str, last: dict[str, Any]) -> Any:
    label = kit.short(part, 40)
    held = {(str(r.contender), str(r.fact)): r for r in kit.each(part)}
    facts = [f for f in dict.fromkeys(part["fact"].astype(str)) if f != LAST or not last]
    differ = [f for f in facts if len({str(held[n, f].value) for n in label if (n, f) in held}) > 1]
    columns = [kit.Column("Contender", number=False)]
    columns += [kit.Column(kit.clean(f, 40).replace("_", " "), number=_numeric(part, f)) for f in differ]
    if last:
        first = next(iter(last.values()))
        columns.append(kit.Column(kit.clean(kit.titled(first), 40), tip=kit.clean(first.convention, 300)))
    rows = []
    for name, short in label.items():
        cells = [_cell(held.get((name, fact)), teacher=name == "teacher") for fact in differ]
        cells += [_beside(last.get(name))] if last else []
        rows.append(kit.Row([kit.Cell(short), *cells], pinned=name == "teacher"))
    said = _same(part, [f for f in facts if f not in differ])
    return (kit.grid(columns, rows, f"Recipe parity of {task}") if differ or last else kit.note("No two rows differ.")) + said


def _same(part: pd.DataFrame, facts: list[str]) -> Any:
    """The facts in which no two rows differ: those that are known, and those that nobody recorded."""
    value = part.drop_duplicates("fact").set_index("fact")["value"].astype(str)
    known = [kit.clean(f, 40).replace("_", " ") for f in facts if value[f] not in UNKNOWN]
    rest = [kit.clean(f, 40).replace("_", " ") for f in facts if value[f] in UNKNOWN]
    said = [
        f"Alike in every row: {', '.join(known)}." if known else "",
        f"None, or not recorded: {', '.join(rest)}." if rest else "",
    ]
    return kit.note(" ".join(filter(None, said))) if facts else kit.Markup("")


def _cell(row: Any, *, teacher: bool) -> Any:
    if row is None:
        return kit.Cell("\u2013")
    text = str(row.value)
    shown = kit.count(text) if text.isdigit() and len(text) > 3 else kit.clean(text, 80)
    if not bool(kit.told(row, "unlike", False)) or teacher:
        return kit.Cell(shown or "\u2013", _sort(text))
    usual = kit.clean(kit.told(row, "usual"), 80)
    usual = kit.count(usual) if usual.isdigit() and len(usual) > 3 else usual
    said = f"most: {usual or 'none'}"
    return kit.Cell(f"\u2260 {shown or 'none'}", _sort(text), tip=said, kind="odd", say=f"({said})")


def _beside(row: Any) -> Any:
    return kit.Cell("\u2013") if row is None else kit.cell_of(row)


def _numeric(part: pd.DataFrame, fact: str) -> bool:
    return all(_sort(str(v)) is not None for v in part.loc[part["fact"] == fact, "value"] if str(v))


def _sort(text: str) -> float | None:
    try:
        return float(text) if text.isascii() else None
    except ValueError:
        return None


def _apart(standings: pd.DataFrame, task: str) -> Any:
    """The rows that are not ranked with the others, each with its reason."""
    if standings.empty:
        return ""
    of = standings[(standings["task"] == task) & (standings["verdict"] == "apart")].drop_duplicates(["contender", "reason"])
    item = kit.Markup("<li><b>{}</b>: {}</li>")
    items = [item.format(kit.clean(r.contender, 40), kit.clean(kit.why_apart(r), 300)) for r in kit.each(of)]
    if not items:
        return kit.note("No row had to be set apart for its recipe.")
    head = kit.Markup("<h4>Not ranked with the others</h4>")
    return head + kit.Markup('<ul class="findings">{}</ul>').format(kit.Markup("").join(items))
