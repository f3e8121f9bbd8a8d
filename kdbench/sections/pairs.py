"""Who beats whom, and how sure that is."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

MARKS = {  # verdict -> (mark, read out, class, of the turned pair)
    "BEATS": ("\u25b2", "beats", "good", "NO"),
    "NO": ("\u25bc", "worse than", "bad", "BEATS"),
    "EQUIVALENT": ("=", "equivalent to", "level", "EQUIVALENT"),
    "INCONCLUSIVE": ("?", "not separable from", "level", "INCONCLUSIVE"),
}
EFFECTS = {"h": "Cohen's h", "d_z": "d_z"}
FEW = 3  # so many comparisons need no matrix
HOW = (
    "Row against column: \u25b2 the row beats the column, \u25bc it is worse, = equivalent within the margin, ? not separable "
    "with this many examples and seeds. Each verdict holds after Holm's correction over the table."
)
DETAIL = (
    "a minus b. McNemar: rows that only a / only b has right, and the exact p of that split. "
    "Needed: about how many test rows would separate a pair that is not separable now."
)


@section(title="Verdicts", order=25)
def pairs(scores: pd.DataFrame, standings: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """A matrix of the verdicts over all pairs on the metric of the standings; below it each comparison with its statistics."""
    drawn = kit.panels(scores, standings, lambda view: _draw(view, standings, pairs), "Nothing was compared here.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _draw(view: Any, standings: pd.DataFrame, pairs: pd.DataFrame) -> str:
    of = kit.facing(kit.of_view(pairs, view))
    if of.empty:
        return ""
    main = view.rows(metric=view.primary)
    unit = str(main["unit"].iloc[0]) if len(main) else "fraction"
    label = kit.short(view.scores, 22)
    label |= kit.labels([n for n in (*of["a"], *of["b"]) if n not in label], 22)
    best = list(kit.of_view(standings, view)["contender"])  # the best first, so that the verdicts fall into a triangle
    label = {n: label[n] for n in sorted(label, key=lambda n: best.index(n) if n in best else len(best))}
    table = _table(view, of, unit, label)
    if len(of) <= FEW:
        return str(table)
    more = kit.fold(f"All {len(of)} comparisons, with interval, p, effect and what would separate them", table)
    alike = of["verdict"].nunique() == 1 and of["verdict"].iloc[0] in ("EQUIVALENT", "INCONCLUSIVE")
    return str(_counted(of)) + ("" if alike else _matrix(view, of, unit, label)) + str(more)


def _counted(of: pd.DataFrame) -> Any:
    count = of["verdict"].value_counts()
    said = [
        (int(count.get("BEATS", 0) + count.get("NO", 0)), "separated"),
        (int(count.get("EQUIVALENT", 0)), "equivalent"),
        (int(count.get("INCONCLUSIVE", 0)), "inconclusive"),
    ]
    if sum(n > 0 for n, _ in said) == 1 and len(of) > 1:
        return kit.note(f"All {len(of)} pairs are {next(word for n, word in said if n)}.")
    return kit.note(f"Of {kit.plural(len(of), 'pair')}: " + ", ".join(f"{n} {word}" for n, word in said if n) + ".")


def _matrix(view: Any, of: pd.DataFrame, unit: str, label: dict[str, str]) -> str:
    held = {(r.a, r.b): (r, 1.0) for r in kit.each(of)}
    held |= {(b, a): (r, -1.0) for (a, b), (r, _) in list(held.items())}
    names = [n for n in label if any(n in key for key in held)]
    columns = [kit.Column("", number=False), *(kit.Column(label[n], number=False) for n in names)]
    rows = []
    for a in names:
        cells = [kit.Cell("\u00b7", kind="self") if a == b else _cell(held.get((a, b)), unit) for b in names]
        rows.append(kit.Row([kit.Cell(label[a]), *cells]))
    return f'<div class="matrix">{kit.grid(columns, rows, f"Pairs of {view.task} on {view.target}", sortable=False)}</div>'


def _cell(found: Any, unit: str) -> Any:
    if found is None or pd.isna(found[0].delta):
        return kit.Cell("\u2013", tip="not compared: a result is missing", kind="none")
    row, sign = found
    if row.verdict == "apart":
        return kit.Cell("\u2013", tip="not compared: one of the two is apart", kind="none", say="not compared")
    delta, (low, high) = sign * float(row.delta), sorted((sign * float(row.low), sign * float(row.high)))
    tip = f"{kit.difference(delta, unit)} ({_between(low, high, unit)})"
    verdict = str(row.verdict)
    mark, said, kind, turned = MARKS.get(verdict, ("\u2013", "", "none", verdict))
    if sign < 0:
        mark, said, kind, _ = MARKS.get(turned, (mark, said, kind, turned))
    return kit.Cell(mark, tip=tip, kind=kind, say=said or kit.clean(verdict, 30))


def _table(view: Any, of: pd.DataFrame, unit: str, label: dict[str, str]) -> Any:
    heads = [("Pair (a, b)", False), ("Verdict", False), ("a minus b", True), ("p, corrected", True), ("McNemar", True)]
    effects = [e for e in dict.fromkeys(_effect(row) for row in kit.each(of)) if e]
    heads += [(f"Effect ({effects[0]})" if len(effects) == 1 else "Effect", True), ("Remark", False)]
    rows = [kit.Row(_cells(row, unit, label, named=len(effects) > 1)) for row in kit.each(of)]
    columns = [kit.Column(title, number=number) for title, number in heads]
    caption = f"Comparisons of {view.task} on {view.target}"
    return kit.grid(columns, rows, caption, tools="two contenders" if len(rows) > FEW else "") + kit.note(DETAIL)


def _cells(row: Any, unit: str, label: dict[str, str], *, named: bool) -> list[Any]:
    """The cells of one comparison. named: say which effect size it is, because the table holds several."""
    verdict = str(row.verdict)
    kind = MARKS.get(verdict, ("", "", "level", ""))[2]
    b, c = (kit.count(kit.told(row, name, "")) for name in ("mcnemar_b", "mcnemar_c"))
    p, exact, size = (float(kit.told(row, n, float("nan"))) for n in ("p_holm", "mcnemar_p", "effect"))
    return [
        kit.Cell(f"{label[row.a]}, {label[row.b]}"),
        kit.Cell(kit.clean(verdict, 20), kind=f"verdict {kind}"),
        kit.Cell(kit.difference(float(row.delta), unit), _sort(row.delta), _between(row.low, row.high, unit)),
        kit.Cell(_p(row, "p_holm") or "\u2013", _sort(p), f"p {_p(row, 'p')}" if _p(row, "p") else ""),
        kit.Cell(f"{b} / {c}" if b and c else "\u2013", _sort(exact), f"exact p {_p(row, 'mcnemar_p')}" if b and c else ""),
        kit.Cell(kit.number(size) or "\u2013", _sort(size), _effect(row) if named and kit.number(size) else ""),
        kit.Cell(said := _remark(row, verdict, unit), kind="long" if said else ""),
    ]


def _effect(row: Any) -> str:
    kind = str(kit.told(row, "effect_kind") or kit.told(row, "effect_name"))
    return str(kit.clean(EFFECTS.get(kind, kind), 30))


def _remark(row: Any, verdict: str, unit: str) -> str:
    """What would separate the two, or within which margin they are equivalent."""
    said = [kit.clean(kit.told(row, name), 160) for name in ("needed", "note") if kit.told(row, name)]
    margin = kit.difference(float(kit.told(row, "margin", float("nan"))), unit).lstrip("+")
    if verdict == "EQUIVALENT" and margin:
        said.append(f"margin {margin}")
    return "; ".join(said)


def _between(low: float, high: float, unit: str) -> str:
    ends = kit.difference(float(low), unit), kit.difference(float(high), unit)
    return f"{ends[0]} to {ends[1]}" if all(ends) else ""


def _p(row: Any, name: str) -> str:
    value = float(kit.told(row, name, float("nan")))
    return "< 0.0001" if value < 0.0001 else str(kit.number(value))


def _sort(value: float) -> float | None:
    return None if pd.isna(value) else float(f"{value:.6g}")
