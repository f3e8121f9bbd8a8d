"""Whether what is won one row at a time is won in batches, and for shorter inputs, too."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

from ._slices import scenario, scenario_title

HOW = (
    "Each column is one way of calling the model: one row a call (single stream), several rows a call (batch), shorter rows "
    "(length, in tokens). Every ratio was timed against the teacher called in the same way; a speed-up holds for its own column."
)
SHOWN = ("latency_ratio", "throughput", "latency", "peak_memory")
APART = 1.25
"""Two ratios of one contender are told to differ when their intervals are apart by this factor."""


@section(title="Batches", order=81)
def scenarios(scores: pd.DataFrame, standings: pd.DataFrame, *, most: int = 4) -> str:
    """Contender by scenario: latency ratio, throughput, latency, peak memory. Nothing where only the single stream was measured.

    most: so many lengths have a picture of throughput against batch.
    """
    none = "One row at a time is all that was measured here."
    drawn = kit.panels(scores, standings, lambda view: _draw(view, most), none)
    return str(kit.how(HOW) + drawn) if drawn else ""


def _draw(view: Any, most: int) -> str:
    rows = view.rows(slice=None)
    rows = rows[rows["axis"].isin(list(kit.COST)) & rows["metric"].isin(SHOWN)]
    known = kit.measured(rows)
    if not (known["slice"] != "").any():
        return ""
    out = [_said(known), _pictures(view, known, most)]
    lost = [n for n in rows["contender"].unique() if n not in set(known["contender"])]
    for metric in SHOWN:
        part = rows[(rows["metric"] == metric) & ~rows["contender"].isin(lost)]
        if (kit.measured(part)["slice"] != "").any():
            title = f"{kit.clean(kit.titled(next(kit.each(part))), 60)} by scenario"
            table = kit.by_contender(view, part, title, lambda r: scenario_title(r.slice))
            head = kit.Markup("<h4>{}</h4>").format(title)
            out.append(head + table if metric == "latency_ratio" else kit.fold(title, table))
    return "".join(map(str, [*out, _lost(rows[rows["contender"].isin(lost)])]))


def _lost(rows: pd.DataFrame) -> Any:
    """The contenders without any number here, each with its first reason."""
    said = "; ".join(
        f"{kit.clean(r.contender, 40)}: {kit.clean(r.status, 20)} ({kit.clean(r.reason, 160)})"
        for r in kit.each(rows.drop_duplicates("contender"))
    )
    return kit.note(f"Without a number: {said}.") if said else kit.Markup("")


def _said(known: pd.DataFrame) -> Any:
    """The fastest of each scenario where that is not always the same, and whose ratio surely depends on the scenario."""
    ratio = known[(known["metric"] == "latency_ratio") & (known["contender"] != "teacher")]
    if ratio.empty:
        return ""
    best = {str(s): part.sort_values("value", kind="stable").iloc[0] for s, part in ratio.groupby("slice", sort=False)}
    lines = []
    if len({row["contender"] for row in best.values()}) > 1:
        named = {s: f"{kit.clean(r['contender'], 30)} ({kit.number(r['value'], 'ratio')})" for s, r in best.items()}
        lines.append(f"Fastest: {', '.join(f'{scenario_title(s)} {who}' for s, who in named.items())}.")
    for name, part in ratio.groupby("contender", sort=False):
        of = {r.slice: r for r in kit.each(part)}
        alone = of.pop("", None)
        moved = [r for r in of.values() if alone is not None and _apart(alone, r)]
        if moved:
            far = max(moved, key=lambda r: max(r.value / alone.value, alone.value / r.value))
            before, after = kit.number(alone.value, "ratio"), kit.number(far.value, "ratio")
            there = scenario_title(far.slice)
            lines.append(f"{kit.clean(name, 40)}: {before} the teacher's time one row a call, {after} at {there}.")
    return kit.findings(lines[:8])


def _apart(one: Any, other: Any) -> bool:
    first, last = sorted((one, other), key=lambda r: r.value)
    low = last.value if pd.isna(last.low) else last.low
    high = first.value if pd.isna(first.high) else first.high
    return bool(low > APART * high)


def _pictures(view: Any, known: pd.DataFrame, most: int) -> str:
    """Throughput against the rows of a call, one picture for each length."""
    rows = known[known["metric"] == "throughput"]
    places = {s: scenario(str(s)) for s in rows["slice"].unique()}
    rows = rows.assign(batch=[places[s][0] for s in rows["slice"]], length=[places[s][1] for s in rows["slice"]])
    rows = rows[(rows["batch"] > 0) & (rows["value"] > 0)]
    drawn = [_picture(view, part, int(str(n))) for n, part in rows.groupby("length") if part["batch"].nunique() > 1]
    return f'<div class="pairwise">{"".join(map(str, drawn[:most]))}</div>' if drawn else ""


def _picture(view: Any, rows: pd.DataFrame, length: int) -> Any:
    label = kit.short(view.scores)
    frame = pd.DataFrame({"who": [label[c] for c in rows["contender"]], "x": rows["batch"].astype(float), "y": rows["value"]})
    frame = frame.sort_values(["who", "x"], kind="stable")
    batches = sorted({int(b) for b in rows["batch"]})
    wide = {"type": "log", "nice": False, "padding": 12}
    x = {"title": "Rows a call", "axis": {"values": batches, "format": "d"}, "scale": {**wide, "base": 2}}
    y = {"title": "Rows a second", "axis": {"format": "~s", "tickCount": 5}, "scale": wide}
    spec = kit.lines(frame, list(label.values()), x, y)
    at = f", length {length}" if length else ""
    title = f"Throughput against batch{at}, both logarithmic: a level line gains nothing from batching"
    says = f"Rows a second of {frame['who'].nunique()} rows at {kit.plural(len(batches), 'batch size')}{at}."
    rate = {(r.who, r.x): kit.number(r.y, "rows/s") for r in kit.each(frame)}
    lines = [[who, *(rate.get((who, float(b)), "") for b in batches)] for who in dict.fromkeys(frame["who"])]
    shown = pd.DataFrame(lines, columns=["Contender", *(kit.plural(b, "row") + " a call" for b in batches)])
    return kit.figure(spec, title, says, shown)
