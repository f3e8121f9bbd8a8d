"""Numbers that are functions of means over examples: of all, of each group, and between groups, with their bootstrap draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kdbench.judge.ask import Metric
from kdbench.judge.boundary import enough, reach
from kdbench.judge.cases import Case
from kdbench.judge.columns import Columns, tidy
from kdbench.judge.extremes import LOST, back, widened
from kdbench.judge.readings import Reading, Spot, attempt, drawn, nothing
from kdbench.judge.resample import Means, Resampler
from kdbench.judge.seeds import LEVEL
from kdbench.judge.slices import Cuts, Grouping, Slice, noted
from kdbench.nouns import Cells, Predictions

CHUNK = 131_072
"""Examples that a metric is asked about at once: what it computes on the way stays small."""


def of_means(metric: Metric, case: Case, cuts: Cuts, resampler: Resampler) -> Iterator[tuple[Spot, Reading]]:
    """The number over all examples and over each group, from one pass over the examples."""
    columns = attempt(lambda: _columns(metric, case.offered), case.key)
    if isinstance(columns, Reading):
        yield from ((replace(case.spot, slice=cut.name), columns) for cut in cuts)
        return
    rate = _rate(metric, columns)
    beside = {"evidence": case.key, "kind": "rate" if rate and resampler.cluster is None else ""}
    with np.errstate(invalid="ignore", divide="ignore"):
        if cuts.whole.n:
            mean, means = resampler.of_all(columns)
            value, draws = float(metric.finish(mean)), metric.finish(means)
            hits = np.packbits(columns[:, 0] > 0.5) if rate and isinstance(columns, np.ndarray) else None
            more = {"means": mean, "hits": hits, "units": resampler.own, "reach": _reach(metric, mean, means)}
            whole = noted(cuts.whole, metric.say("note", case.offered))
            reading = drawn(metric.facts, whole, value, draws, **beside, **more)
            doubt = metric.say("doubt", case.offered)
            yield case.spot, replace(reading, status="noisy", reason=doubt) if doubt and reading.known else reading
        else:
            yield case.spot, nothing("undefined", "no examples", 0, case.key)
        for grouping in cuts.groupings:
            yield from _of_groups(metric, case, (columns, beside), grouping, resampler)


def _of_groups(
    metric: Metric, case: Case, found: tuple[Columns, dict[str, Any]], grouping: Grouping, resampler: Resampler
) -> Iterator[tuple[Spot, Reading]]:
    columns, beside = found
    mean, means = resampler.of_groups(columns, grouping.code, len(grouping.slices))
    values, draws = metric.finish(mean), metric.finish(means)
    for i, cut in enumerate(grouping.slices):
        spot = replace(case.spot, slice=cut.name)
        if not cut.n:
            yield spot, nothing("undefined", "no examples", 0, case.key)
            continue
        more = {"units": resampler.own_of(cut.rows), "reach": _reach(metric, mean[i], means[:, i])}
        yield spot, drawn(metric.facts, cut, float(values[i]), draws[:, i], **beside, **more)


def of_disparities(metric: Metric, case: Case, cuts: Cuts, resampler: Resampler) -> Iterator[tuple[Spot, Reading]]:
    """One number for each group column, from the means of its groups: those that are large enough to be compared."""
    why = "it compares groups: see the row of each group column" if cuts.groupings else "the task names no group column"
    yield case.spot, nothing("not applicable", why, evidence=case.key)
    columns = attempt(lambda: _columns(metric, case.offered), case.key)
    for grouping in cuts.groupings:
        spot = replace(case.spot, slice=grouping.column)
        yield spot, columns if isinstance(columns, Reading) else _disparity(metric, (columns, case.key), grouping, resampler)


def _disparity(metric: Metric, found: tuple[Columns, str], grouping: Grouping, resampler: Resampler) -> Reading:
    columns, key = found
    compared = grouping.compared
    n = sum(cut.n for cut in compared)
    if len(compared) < 2:
        return nothing("undefined", too_few(grouping), n, key)
    places = [i for i, cut in enumerate(grouping.slices) if cut.enough]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, means = resampler.of_groups(columns, grouping.code, len(grouping.slices))
        mean, means = mean[places], means[:, places]
        value, draws = float(metric.finish(mean)), metric.finish(means)
        sizes = np.array([resampler.own_of(cut.rows) for cut in compared])
        between = _apart(metric, value, Means(mean, means), sizes) if np.isfinite(draws).sum() > 1 else None
    left = len(grouping.slices) - len(compared)
    said = f"{left} of {len(grouping.slices)} groups left out: too small, or not known" if left else ""
    whole = Slice(grouping.column, None, n, grouping.column, reason=said)
    return drawn(metric.facts, whole, value, draws, evidence=key, units=int(sizes.min()), reach=between)


def _apart(metric: Metric, value: float, found: Means, units: np.ndarray) -> tuple[float, float] | None:
    """The interval of a number that compares groups, where its file says of which deviations it is the size or, where higher is
    better, of which deviations of logarithms it is exp(-size). found: of G groups, of columns that are 0 or 1.
    """
    if not {"deviations", "size"} <= set(metric.companions):
        return None
    known = found.draws[np.isfinite(found.draws).all(axis=(1, 2))][: enough(found.mean.size)]
    wide = np.clip(widened(found.mean, known, units, np.ones(found.mean.shape, dtype=bool)), LOST * found.mean, 1)
    of, draws = metric.deviations(found.mean), metric.deviations(wide)
    quotient, size = metric.better == "higher", float(metric.size(of))
    if not np.isclose(np.exp(-size) if quotient else size, value, rtol=0, atol=1e-9):
        return None
    sides = reach(metric.size, of, draws, LEVEL)
    return back(*sides, value) if quotient else sides


def too_few(grouping: Grouping) -> str:
    """Why the groups of a column cannot be compared."""
    if len(grouping.slices) < 2:
        return "one group only: nothing to compare"
    return f"{len(grouping.compared)} of {len(grouping.slices)} groups are large enough: nothing to compare"


def _columns(metric: Metric, offered: Mapping[str, Any]) -> Columns:
    of = offered["predictions"]
    n = len(of[0].ids) if isinstance(of, tuple) else len(of.ids)
    if n <= CHUNK:
        return tidy(metric(offered), n)
    parts = []
    for start in range(0, n, CHUNK):
        rows = slice(start, min(start + CHUNK, n))
        parts.append(tidy(metric({**offered, **_part(metric, offered, rows)}), rows.stop - rows.start))
    return _joined(parts)


def _part(metric: Metric, offered: Mapping[str, Any], rows: slice) -> dict[str, Any]:
    """The evidence about some examples; what is about other sets stays whole."""
    found: dict[str, Any] = {}
    for name in {"predictions", "teacher"} & metric.asks:
        of = offered.get(name)
        if isinstance(of, Predictions):
            found[name] = of.take(rows)
        elif of is not None:
            found[name] = tuple(one.take(rows) for one in of)
    return found


def _joined(parts: list[Columns]) -> Columns:
    first = parts[0]
    if isinstance(first, np.ndarray):
        return np.concatenate([np.asarray(p) for p in parts])
    made = []
    for i, cells in enumerate(first):
        held = [p[i] for p in parts if isinstance(p, tuple)]
        values = tuple(np.concatenate([h.values[v] for h in held]) for v in range(len(cells.values)))
        made.append(Cells(np.concatenate([h.code for h in held]), cells.count, values))
    return tuple(made)


def _reach(metric: Metric, mean: np.ndarray, means: np.ndarray) -> tuple[float, float] | None:
    """The interval of a number that is the size of deviations, where the metric's file says of which: one that holds at 0."""
    if not {"deviations", "size"} <= set(metric.companions):
        return None
    return reach(metric.size, metric.deviations(mean), metric.deviations(means), LEVEL)


def _rate(metric: Metric, columns: Columns) -> bool:
    """Whether the number is the share of examples with a 1."""
    if not isinstance(columns, np.ndarray) or columns.shape[1] != 1 or "finish" in metric.companions:
        return False
    return bool(((columns == 0) | (columns == 1)).all())
