"""What was compared, on what, and what can be said about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdbench import kit, section

from ._slices import of_groups


@section(title="Summary", order=10)
def summary(scores: pd.DataFrame, standings: pd.DataFrame, gates: pd.DataFrame, facts: Mapping[str, Any], suite: Any) -> str:
    """Headline findings in plain words: every sentence counts verdicts of the standings, none is a new judgement."""
    homes = [task for task in suite.tasks if not task.home]
    tiles = [
        (sum(len(t.contenders) for t in homes), "contender"),
        (len(homes), "task"),
        (len(suite.tasks) - len(homes), "probe"),
        (len(suite.seeds), "seed"),
        (len(suite.targets), "target"),
    ]
    tiles = [(n, name) for n, name in tiles if n]
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
    lines = [_best(held, of, title, unit), _against(held, of), _gaps(view), _fastest(view), _apart(held), _missing(of)]
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
    text = "<b>{}</b> leads the contenders with {} of {}" if len(ranked) > 1 else "<b>{}</b> has {} of {}"
    out = kit.Markup(text).format(kit.clean(lead.contender, 40), kit.clean(title, 60).lower(), _value(lead, unit))
    if tied:
        names = ", ".join(kit.clean(n, 30) for n in tied[:4]) + (f" and {len(tied) - 4} more" if len(tied) > 4 else "")
        out += kit.Markup("; its rank overlaps with {}").format(names)
    teacher = of[(of["contender"] == "teacher") & of["value"].notna()]
    if len(teacher):
        out += kit.Markup("; the teacher has {}").format(_value(next(kit.each(teacher)), unit))
    return out + "."


def _against(held: pd.DataFrame, of: pd.DataFrame) -> Any:
    held = held[held["verdict"] != "apart"]
    if held.empty or not (of["contender"] == "teacher").any():
        return ""
    lines = {"BEATS": "better than", "EQUIVALENT": "equivalent to", "INCONCLUSIVE": "not separable from", "NO": "worse than"}
    verdicts = held["verdict"].replace("WORSE", "NO")
    found = {verdict: [kit.clean(n, 30) for n in held.loc[verdicts == verdict, "contender"]] for verdict in lines}
    said = [
        f"{len(names)} {lines[v]} the teacher" + (f" ({', '.join(names)})" if len(names) < 4 else "")
        for v, names in found.items()
        if names
    ]
    if len(held) == 1 and said:
        one = next(kit.each(held))
        return kit.Markup("Paired, {} is {} the teacher.").format(kit.clean(one.contender, 40), lines[verdicts.iloc[0]])
    return kit.Markup("Of {} contenders, paired and corrected: {}.").format(len(held), "; ".join(said)) if said else ""


def _gaps(view: Any) -> Any:
    """Who widened a gap between groups against the teacher, of the columns that are neither crossed nor the label."""
    rows = of_groups(view.rows(slice=None))
    rows = rows[rows["slice"].str.endswith(":gap") & (rows["delta_low"] > 0) & (rows["contender"] != "teacher")]
    rows = rows[~rows["slice"].str.contains("*", regex=False) & (rows["slice"] != "class:gap")]
    rows = rows[rows["metric"].isin({view.primary, *view.rows(axis="bias")["metric"]})]
    said = []
    for (_, piece), part in rows.groupby(["metric", "slice"], sort=False):
        names = [kit.clean(n, 30) for n in part["contender"]]
        many = f" and {len(names) - 3} more" if len(names) > 3 else ""
        title = kit.clean(kit.titled(next(kit.each(part))), 50).lower()
        said.append(f"{title} by {kit.clean(str(piece).removesuffix(':gap'), 40)} ({', '.join(names[:3])}{many})")
    if not said:
        return ""
    return kit.Markup('<span class="bad">Gaps wider than the teacher\'s:</span> {}.').format("; ".join(said[:4]))


def _apart(held: pd.DataFrame) -> Any:
    of = held[held["verdict"] == "apart"]
    if of.empty:
        return ""
    said = "; ".join(f"{kit.clean(r.contender, 30)} ({kit.clean(kit.why_apart(r), 160)})" for r in kit.each(of))
    return kit.Markup("Not ranked with the others: {}.").format(said)


def _fastest(view: Any) -> Any:
    rows = kit.measured(view.rows(metric="latency_ratio"))
    rows = rows[rows["contender"] != "teacher"]
    if rows.empty:
        return kit.Markup("No latency ratio was measured.") if len(view.rows(metric="latency_ratio")) else ""
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
