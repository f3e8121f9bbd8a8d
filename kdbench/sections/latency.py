"""How the latency ratios came about: every block, the null pair, and what the noise is."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

from ._calls import conditions, failed, honesty, picture

HOW = (
    "Ratios first: each tick is one block, in which the contender and the teacher were timed in turns; left of 1 the contender "
    "is faster. The teacher's own line is a copy of it against itself: as far as that is off 1, no ratio can be trusted. "
    "Absolute times, below, are those of one row a call."
)
FIRST = ("latency", "latency_percentile", "throughput", "cpu_time_ratio")
BEST = {"latency": "Latency, best case", "throughput": "Throughput, one caller"}


@section(title="Latency", order=80)
def latency(
    scores: pd.DataFrame, standings: pd.DataFrame, timings: pd.DataFrame, calls: pd.DataFrame, *, blocks: int = 120
) -> str:
    """Contender over teacher, block by block, one row a call. The teacher's own line is the null pair: two copies of one model.
    Then how the calls were spread, the absolute numbers, and the rows whose times are not told, with the reason.

    blocks: at most so many blocks of a row are drawn, evenly chosen.
    """
    drawn = kit.panels(scores, standings, lambda view: _draw(view, timings, calls, blocks), "No timing was made here.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _draw(view: Any, timings: pd.DataFrame, calls: pd.DataFrame, blocks: int) -> str:
    lost = failed(view)
    gone = set(lost.loc[lost["slice"] == "", "contender"])
    blocks_of, calls_of = (_single(table, view, gone) for table in (timings, calls))
    out = str(_ratios(view, blocks_of, blocks)) if len(blocks_of) else ""
    if len(calls_of):
        out += str(kit.Markup("<h4>Absolute times</h4>")) + str(picture(view, calls_of))
    rows = view.axis("latency")
    rows = rows[(rows["metric"] != "latency_ratio") & rows["metric"].isin(kit.measured(rows)["metric"])]
    rank = {name: i for i, name in enumerate(FIRST)}
    rows = rows.iloc[rows["metric"].str.split("{").str[0].map(rank).fillna(len(rank)).argsort(kind="stable")]
    if out and len(rows):
        out += str(kit.by_contender(view, rows, "Absolute times and rates", lambda r: BEST.get(r.metric) or kit.titled(r)))
    return out + str(conditions(calls_of) if len(calls_of) else "") + str(honesty(view, calls_of))


def _single(table: pd.DataFrame, view: Any, gone: set[str]) -> pd.DataFrame:
    """The rows of a view that are of the single stream, without those whose times are not told."""
    of: pd.DataFrame = kit.of_view(table, view)
    if of.empty:
        return of
    of = of.loc[(of["scenario"] == "") & ~of["contender"].isin(gone)]
    return of.loc[(of["reference_us"] > 0) & (of["contender_us"] > 0)] if "block" in of else of


def _ratios(view: Any, of: pd.DataFrame, blocks: int) -> Any:
    label = kit.short(view.scores)
    label |= kit.labels(n for n in of["contender"].unique() if n not in label)
    of = of.assign(ratio=of["contender_us"] / of["reference_us"], who=[label[str(c)] for c in of["contender"]])
    order = [w for w in label.values() if w in set(of["who"])]
    drawn = of[of.groupby("who")["block"].rank(method="first") % max(1, -(-len(of) // len(order) // blocks)) == 0]
    middle = of.groupby("who", sort=False)["ratio"].median().reset_index()
    title = "Latency / teacher, one tick a block (dark: median of the blocks)"
    says = f"Ratios of contender to teacher latency in {len(of)} blocks of {len(order)} rows, on a logarithmic axis."
    spec = _spec(drawn[["who", "ratio"]], middle, list(label.values()))
    return kit.figure(spec, title, says, _numbers(view, of, order)) + kit.note(_noise(view, of))


def _numbers(view: Any, of: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    label = kit.short(view.scores)
    judged: dict[str, Any] = {label[str(r.contender)]: r for r in kit.each(view.rows(metric="latency_ratio"))}
    out = []
    for who in order:
        part, row = of[of["who"] == who], judged.get(who)
        ratio = str(getattr(row, "status", "not judged"))
        if row is not None and ratio in ("ok", "noisy", "partial"):
            ratio = kit.stated(row.value, row.low, row.high, row.unit)
        quick = [kit.number(float(part[c].min()) * 1e-6, "s") for c in ("contender_us", "reference_us")]
        out.append([who, ratio, *quick, kit.count(len(part)), kit.clean(getattr(row, "reason", "") or "")])
    table = pd.DataFrame(out, columns=["Contender", "Ratio", "Fastest block", "Teacher beside it", "Blocks", "Remark"])
    return table if table["Remark"].nunique() > 1 else table.drop(columns="Remark")  # said once below the figure


def _noise(view: Any, of: pd.DataFrame) -> str:
    null = of[of["contender"].isin(["teacher", "null"])]
    every = kit.measured(view.rows(metric="latency_ratio"))
    noisy = every[every["status"] == "noisy"]
    said = "Teacher and contender are called in turns, so that load on the machine hits both. "
    if len(null):
        off = abs(float(null["ratio"].median()) - 1)
        off_by = kit.number(off, "fraction")
        said += f"Noise floor: the null pair (the teacher against a copy of itself) is off by {off_by} in the median. "
    if len(noisy):
        for reason, rows in noisy.groupby("reason", sort=False):
            names = (
                "all rows"
                if len(rows) > 1 and len(rows) == len(every)
                else ", ".join(kit.clean(n, 40) for n in rows["contender"])
            )
            said += f"Noisy: {names} ({kit.clean(reason, 160)}). "
    return said


def _spec(frame: pd.DataFrame, middle: pd.DataFrame, order: list[str]) -> Any:
    here = [w for w in order if w in set(frame["who"])]
    y = {"field": "who", "type": "nominal", "sort": here, "title": None}
    wide = float(frame["ratio"].max() / frame["ratio"].min()) > 4
    scale = {"type": "log", "nice": False, "padding": 12} if wide else {"zero": False, "padding": 12}
    x = {
        "field": "ratio",
        "type": "quantitative",
        "title": "Contender / teacher",
        "scale": scale,
        "axis": {**kit.axis("ratio"), "tickCount": 8},
    }
    colour = {"field": "who", "type": "nominal", "scale": kit.look(order, "color", here), "legend": None}
    tip = [
        {"field": "who", "type": "nominal", "title": "contender"},
        {"field": "ratio", "type": "quantitative", "title": "median ratio", "format": ".3f"},
    ]
    thin, thick = {"type": "tick", "thickness": 1, "opacity": 0.35, "size": 13}, {"type": "tick", "thickness": 2.5, "size": 18}
    one = {"values": [{"ratio": 1}]}
    return {
        "width": "container",
        "height": 24 * len(here) + 4,
        "layer": [
            {"data": one, "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#8a8f98"}, "encoding": {"x": x}},
            {**kit.series(frame, ["who"]), "mark": thin, "encoding": {"x": x, "y": y, "color": colour}},
            {"data": kit.values(middle), "mark": thick, "encoding": {"x": x, "y": y, "tooltip": tip}},
        ],
    }
