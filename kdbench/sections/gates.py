"""The conditions of the suite, and whether the bounds hold them."""

from __future__ import annotations

import pandas as pd

from kdbench import kit, section

KINDS = {"PASS": "good", "FAIL": "bad"}


@section(title="Gates", order=15)
def gates(gates: pd.DataFrame, scores: pd.DataFrame) -> str:
    """One row a gate, decided on the confidence bound. A gate without evidence is not a pass. Without gates, no section."""
    if gates.empty:
        return ""
    units = dict(zip(scores["metric"], scores["unit"], strict=True))
    titles = ("Verdict", "Condition", "Contender", "Where", "Interval", "Reason")
    columns = [kit.Column(t, number=t == "Interval") for t in titles]
    rows = []
    for gate in kit.each(gates):
        unit = str(units.get(gate.metric, "fraction"))
        what = f"{gate.metric}{' minus teacher' if gate.of == 'delta' else ''} {gate.bound}"
        where = ", ".join(kit.clean(part, 60) for part in (gate.task, gate.target, gate.slice) if part)
        ends = kit.interval(gate.low, gate.high, unit) or kit.number(gate.low, unit) or "\u2013"
        texts = (what, gate.contender, where, ends, gate.reason or "")
        verdict = kit.Cell(kit.clean(gate.verdict, 30), kind="verdict " + KINDS.get(str(gate.verdict), "level"))
        rows.append(kit.Row([verdict, *(kit.Cell(kit.clean(t, 160)) for t in texts)]))
    return str(kit.grid(columns, rows, "Gates of the suite"))
