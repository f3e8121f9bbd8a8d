"""What was compared, on what, and what can be said about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdbench import kit, section


@section(title="Summary", order=10)
def summary(scores: pd.DataFrame, standings: pd.DataFrame, gates: pd.DataFrame, facts: Mapping[str, Any], suite: Any) -> str:
    """Headline findings in plain words: every sentence counts verdicts of the standings, none is a new judgement."""
    tiles = [
        (sum(len(t.contenders) for t in suite.tasks), "contender"),
        (len(suite.tasks), "task"),
        (len(suite.seeds), "seed"),
        (len(suite.targets), "target"),
    ]
    tile = kit.Markup('<div class="tile"><b>{}</b><span>{}</span></div>')
    out = [kit.Markup('<div class="tiles">')]
    out += [tile.format(n, name if n == 1 else name + "s") for n, name in tiles]
    if len(gates):
        passed = int((gates["verdict"] == "PASS").sum())
        out.append(tile.format(f"{passed} / {len(gates)}", "gates passed"))
    out.append(kit.Markup("</div>"))
    out.append(kit.panels(scores, standings, lambda view: _findings(view, standings), "No standings: nothing was measured here."))
    out.append(_warnings([str(w) for w in facts.get("warnings", ())]))
    return "".join(str(part) for part in out)


def _warnings(warnings: list[str], first: int = 5) -> Any:
    """The first few warnings; the rest on demand."""
    items = [kit.Markup("<li>{}</li>").format(kit.clean(w, 400)) for w in dict.fromkeys(warnings)]
    if not items:
        return ""
    seen, rest = kit.Markup("").join(items[:first]), kit.Markup("").join(items[first:])
    more = kit.Markup("<details><summary>{} more</summary><ul>{}</ul></details>").format(len(items) - first, rest) if rest else ""
    return kit.Markup('<aside class="warn"><h3>Mind this</h3><ul>{}</ul>{}</aside>').format(seen, more)


def _findings(view: Any, standings: pd.DataFrame) -> str:
    of = standings[(standings["task"] == view.task) & (standings["target"] == view.target)]
    if of.empty:
        return ""
    main = view.rows(metric=view.primary)
    unit = str(main["unit"].iloc[0]) if len(main) else "fraction"
    title = kit.titled(next(kit.each(main))) if len(main) else view.primary
    held = of[of["complete"].astype(bool) & of["value"].notna() & (of["contender"] != "teacher")]
    lines = [_best(held, of, title, unit), _against(held), _fastest(view), _missing(of)]
    items = kit.Markup("").join(kit.Markup("<li>{}</li>").format(line) for line in lines if line)
    n = main["n"].max() if len(main) else 0
    scope = sorted({kit.clean(s, 60) for s in held["scope"] if s})
    foot = f"Judged by {title} over {kit.count(n)} test rows" + (
        f"; scope of the verdicts: {'; '.join(scope)}." if scope else "."
    )
    return str(kit.Markup('<ul class="findings">{}</ul>').format(items) + kit.note(foot))


def _value(row: Any, unit: str) -> Any:
    bounds = kit.interval(row.low, row.high, unit)
    return kit.Markup("<b>{}</b>{}").format(kit.number(row.value, unit), f" ({bounds})" if bounds else "")


def _best(held: pd.DataFrame, of: pd.DataFrame, title: str, unit: str) -> Any:
    ranked = sorted((r for r in kit.each(held) if kit.place(r)[0] < float("inf")), key=kit.place)
    if not ranked:
        return kit.Markup("No contender has a complete result.")
    lead = ranked[0]
    tied = [r.contender for r in ranked[1:] if r.rank_low <= lead.rank_high]
    out = kit.Markup("<b>{}</b> leads the contenders with {} of {}").format(
        kit.clean(lead.contender, 40), kit.clean(title, 60).lower(), _value(lead, unit)
    )
    if tied:
        names = ", ".join(kit.clean(n, 30) for n in tied[:4]) + (f" and {len(tied) - 4} more" if len(tied) > 4 else "")
        out += kit.Markup("; its rank overlaps with {}").format(names)
    teacher = of[(of["contender"] == "teacher") & of["value"].notna()]
    if len(teacher):
        out += kit.Markup("; the teacher has {}").format(_value(next(kit.each(teacher)), unit))
    return out + "."


def _against(held: pd.DataFrame) -> Any:
    if held.empty:
        return ""
    lines = {"BEATS": "better than", "INCONCLUSIVE": "not separable from", "WORSE": "worse than"}
    found = {verdict: [kit.clean(n, 30) for n in held.loc[held["verdict"] == verdict, "contender"]] for verdict in lines}
    said = [
        f"{len(names)} {lines[v]} the teacher" + (f" ({', '.join(names)})" if len(names) < 4 else "")
        for v, names in found.items()
        if names
    ]
    return (
        kit.Markup("Of {}, paired and corrected: {}.").format(kit.plural(len(held), "contender"), "; ".join(said)) if said else ""
    )


def _fastest(view: Any) -> Any:
    rows = kit.measured(view.rows(metric="latency_ratio"))
    rows = rows[rows["contender"] != "teacher"]
    if rows.empty:
        return kit.Markup("No latency ratio was measured.")
    least = rows.sort_values("value", kind="stable").iloc[0]
    same = rows[rows["value"] <= least["value"] * 1.0001]
    names = ", ".join(kit.clean(n, 30) for n in same["contender"][:4]) + (f" and {len(same) - 4} more" if len(same) > 4 else "")
    share = kit.number(float(least["value"]), "ratio")
    return kit.Markup("Fastest: <b>{}</b> at <b>{}</b> the teacher's latency.").format(names, share)


def _missing(of: pd.DataFrame) -> Any:
    """Rows that cannot run on this target, and rows that should have run and are not whole: only the latter are bad."""
    gone = of[~of["complete"].astype(bool)]
    elsewhere = gone["status"] == "not applicable"
    said = [
        (gone[elsewhere], "<span>{} cannot run here:</span> {}."),
        (gone[~elsewhere], '<span class="bad">{} incomplete:</span> {}.'),
    ]
    parts = [
        kit.Markup(text).format(kit.plural(len(rows), "row"), ", ".join(kit.clean(n, 30) for n in rows["contender"]))
        for rows, text in said
        if len(rows)
    ]
    return kit.Markup(" ").join(parts)
