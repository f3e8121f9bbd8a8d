"""What was done to make each row, and in what the rows differ."""

from __future__ import annotations

import pandas as pd

from kdbench import kit, section

HOW = "What was done to make each row. Only facts in which rows differ are columns; a cell unlike most is marked."


@section(title="Recipes", order=95)
def recipes(recipes: pd.DataFrame) -> str:
    """One table a task: only facts in which rows differ are columns; a cell unlike most is marked. The rest is said once."""
    out = kit.Markup("")
    tasks = {t: i for i, t in enumerate(recipes["task"].unique())}
    box = kit.Markup('<div class="panel" data-task="{}" data-target=""><h3>{}</h3>{}</div>')
    for task, part in recipes.groupby("task", sort=False):
        out += box.format(tasks[task], kit.clean(task, 80), kit.Markup(_table(part, str(task))))
    return str(kit.how(HOW) + out) if out else ""


def _table(part: pd.DataFrame, task: str) -> str:
    label = kit.short(part, 40)
    keys = list(dict.fromkeys(part["key"]))
    held = {(r.contender, r.key): str(r.value) for r in kit.each(part)}
    students = [n for n in label if n != "teacher"] or list(label)
    spread = {k: [held.get((n, k), "") for n in students] for k in keys}
    differ = [k for k in keys if len({held.get((n, k), "") for n in label}) > 1]
    usual = {k: max(dict.fromkeys(spread[k]), key=spread[k].count) for k in keys}
    columns = [
        kit.Column("Contender", number=False),
        *(kit.Column(kit.clean(k, 40).replace("_", " "), number=_numeric(spread[k])) for k in differ),
    ]
    rows = []
    for name, short in label.items():
        cells = [kit.Cell(short)]
        for key in differ:
            value = held.get((name, key), "")
            odd = "odd" if value != usual[key] and name != "teacher" else ""
            shown = kit.clean(value, 120)
            cells.append(
                kit.Cell(kit.count(value) if _whole(value) else shown, _sort(value), kind=odd)
                if shown
                else kit.Cell("\u2013", kind=odd)
            )
        rows.append(kit.Row(cells, pinned=name == "teacher"))
    same = [(k, usual[k]) for k in keys if k not in differ]
    pair = kit.Markup("<div><dt>{}</dt><dd>{}</dd></div>")
    facts = kit.Markup("").join(pair.format(kit.clean(k, 60).replace("_", " "), kit.clean(v, 200) or "\u2013") for k, v in same)
    shared = kit.Markup('<p class="note">The same in every row:</p><dl class="facts">{}</dl>').format(facts) if same else ""
    table = kit.grid(columns, rows, f"Recipes of {task}") if differ else kit.note("All rows share one recipe.")
    return str(table) + str(shared)


def _whole(value: str) -> bool:
    return value.isdigit() and len(value) > 4


def _numeric(values: list[str]) -> bool:
    return all(_sort(v) is not None for v in values if v)


def _sort(value: str) -> float | None:
    try:
        return float(value) if value.isascii() else None
    except ValueError:
        return None
