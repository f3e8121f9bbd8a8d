"""What a contender gains by leaving its least confident answers to somebody else, the teacher first of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kdbench import kit, section

POINTS = 16  # drawn of a curve
HOW = (
    "A cascade lets the contender answer where it is confident and asks the teacher about the rest. Where its line crosses the "
    "dashed one, the two together reach the teacher's own accuracy."
)
ALONE = "A contender that answers only where it is confident makes fewer errors among its answers: lower curves are better."
SHARE = {"format": "~%"}


@section(title="Cascade and selective prediction", order=50)
def selective(scores: pd.DataFrame, standings: pd.DataFrame, curves: pd.DataFrame) -> str:
    """The cascade curve by deferred share and by expected cost, the risk-coverage curve, and the metrics of the axis."""
    known = curves[curves["curve"].isin(["cascade", "risk_coverage"]) & (curves["shift"] == "") & (curves["slice"] == "")]
    drawn = kit.panels(scores, standings, lambda view: _draw(view, known), "No selective prediction was asked for here.")
    how = HOW if (known["curve"] == "cascade").any() else ALONE
    return str(kit.how(how) + drawn) if drawn else ""


def _draw(view: Any, curves: pd.DataFrame) -> str:
    of = curves[(curves["task"] == view.task) & (curves["target"] == view.target) & curves["y"].notna()]
    cascade, risk = (_thin(view, of[of["curve"] == name]) for name in ("cascade", "risk_coverage"))
    rows = view.axis("selective")
    if cascade.empty and risk.empty and rows.empty:
        return ""
    figures = [*_cascades(view, cascade), *_risks(view, risk)]
    pictures = f'<div class="pairwise">{"".join(map(str, figures))}</div>' if figures else ""
    return pictures + str(kit.by_contender(view, rows, "Selective prediction", kit.stating))


def _thin(view: Any, of: pd.DataFrame) -> pd.DataFrame:
    """who, contender, x, y of one curve a contender, over seeds where there is one: the points nearest to even steps."""
    if of.empty:
        return pd.DataFrame(columns=["who", "contender", "x", "y"])
    label = kit.short(view.scores)
    of = of[of["metric"] == of["metric"].iloc[0]]
    out = []
    for name in [n for n in label if n in set(of["contender"])]:
        part = of[of["contender"] == name]
        part = part[part["seed"] == part["seed"].min()].sort_values("x", kind="stable")
        x = part["x"].to_numpy(dtype=float)
        steps = np.linspace(x[0], x[-1], POINTS)
        keep = sorted({int(np.abs(x - step).argmin()) for step in steps}) if len(x) > POINTS else range(len(x))
        out.append(part.iloc[list(keep)][["x", "y"]].assign(who=label[name], contender=name))
    found: pd.DataFrame = pd.concat(out, ignore_index=True)
    return found


def _cascades(view: Any, frame: pd.DataFrame) -> list[Any]:
    frame = frame[frame["contender"] != "teacher"]
    if frame.empty:
        return []
    title = f"{_quality(view)} of the cascade"
    order = list(kit.short(view.scores).values())
    teacher = _alone(view, frame)
    y = {"title": title, "scale": {"zero": False}, "axis": SHARE}
    many = f"{frame['who'].nunique()} contenders"
    says = f"{title} by the share of rows that go to the teacher, for {many}; dashed: the teacher alone."
    out = [_figure(frame, order, ("Share deferred to the teacher", SHARE), y, teacher, (f"{title}, by deferred share", says))]
    ratio = {str(r.contender): float(r.value) for r in kit.each(kit.measured(view.rows(metric="latency_ratio")))}
    dear = frame[frame["contender"].isin(list(ratio))]
    if len(dear):
        dear = dear.assign(x=dear["x"] + dear["contender"].map(ratio))
        says = (
            f"{title} by expected cost: the contender's latency, plus the teacher's for what is deferred; beyond 1 it is dearer"
        )
        cost = ("Expected latency / teacher's", kit.axis("ratio"))
        out.append(_figure(dear, order, cost, y, teacher, (f"{title}, by expected cost", says)))
    return out


def _risks(view: Any, frame: pd.DataFrame) -> list[Any]:
    if frame.empty:
        return []
    y = {"title": "Error among the answered", "axis": SHARE}
    says = f"Error among the rows that are answered, by the share answered, for {frame['who'].nunique()} rows: lower is better."
    order = list(kit.short(view.scores).values())
    what = ("Risk-coverage: error among the most confident rows", says)
    return [_figure(frame, order, ("Coverage: share answered", SHARE), y, float("nan"), what)]


def _figure(frame: pd.DataFrame, order: list[str], x: tuple[str, Any], y: Any, rule: float, what: tuple[str, str]) -> Any:
    """what: (title, what it says). The numbers below are those of six points."""
    across = {"title": x[0], "axis": {**x[1], "tickCount": 6}, "scale": {"zero": False, "nice": False}}
    return kit.figure(kit.lines(frame, order, across, y, rule), *what, _numbers(frame, x[0], rule))


def _numbers(frame: pd.DataFrame, head: str, rule: float) -> pd.DataFrame:
    cost = "cost" in head.lower() or "latency" in head.lower()
    out, unit = [], "ratio" if cost else "fraction"
    for who, part in frame.groupby("who", sort=False):
        places = np.linspace(0, len(part) - 1, 6).round().astype(int)
        out.append(
            (
                who,
                [(kit.number(float(part["x"].iloc[i]), unit), kit.number(float(part["y"].iloc[i]), "fraction")) for i in places],
            )
        )
    shared = len({tuple(x for x, _ in points) for _, points in out}) == 1
    heads = [f"at {x}" if shared else f"Point {i}" for i, (x, _) in enumerate(out[0][1], start=1)]
    lines = [[who, *(y if shared else f"{y} at {x}" for x, y in points)] for who, points in out]
    if np.isfinite(rule):
        lines.append(["teacher alone", *([kit.number(rule, "fraction")] * len(heads))])
    return pd.DataFrame(lines, columns=["Contender", *heads])


def _alone(view: Any, frame: pd.DataFrame) -> float:
    """The teacher's accuracy: where all rows are deferred, only the teacher answers."""
    last = frame[frame["x"] >= 1 - 1e-9]
    if len(last):
        return float(last["y"].iloc[0])
    rows = kit.measured(view.rows(metric="accuracy", contender="teacher"))
    return float(rows["value"].iloc[0]) if len(rows) else float("nan")


def _quality(view: Any) -> str:
    rows = view.rows(metric="accuracy")
    return kit.titled(next(kit.each(rows))) if len(rows) else "Accuracy"
