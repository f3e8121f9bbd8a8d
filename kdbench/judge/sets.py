"""Numbers of whole sets (areas, ranks, fitted things), with their bootstrap draws: by weights, by influence, or by gathering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kdbench.judge.ask import Metric
from kdbench.judge.boundary import reach
from kdbench.judge.cases import Case
from kdbench.judge.columns import sums
from kdbench.judge.readings import Reading, Spot, attempt, drawn, nothing
from kdbench.judge.resample import CELLS, Resampler
from kdbench.judge.seeds import LEVEL
from kdbench.judge.slices import Cuts, Slice, noted
from kdbench.nouns import Undefined

DRAWS, SHIFTED, LEAST = 300, 100, 100
"""Draws of a metric of sets: on the clean set, on shifted ones, and where the set is very large or no weights are taken."""
WEIGHTS = 3_000_000
"""Weights that a metric of sets gets at once; larger sets get fewer draws."""
CLASSES = 100
"""Classes up to which a number over classes gets an interval of its own kind; with more it would take minutes."""
OWN = ("predictions", "teacher", "features", "teacher_features")
"""Evidence about the examples themselves, row by row."""


def of_sets(metric: Metric, case: Case, cuts: Cuts, resampler: Resampler) -> Iterator[tuple[Spot, Reading]]:
    """The number of all examples and of each group. One that reads the validation split alone has no groups."""
    if "predictions" not in metric.asks and "features" not in metric.asks:
        validation = case.offered["validation"]
        n = len(validation.ids)
        whole = Slice("", None, n, reason="about the validation split")
        yield case.spot, _of_set(metric, case, whole, resampler.beside(n), DRAWS)
        return
    whole = noted(cuts.whole, metric.say("note", case.offered))
    for cut in (whole, *(part for grouping in cuts.groupings for part in grouping.slices)):
        spot = replace(case.spot, slice=cut.name)
        if not cut.n:
            yield spot, nothing("undefined", "no examples", 0, case.key)
            continue
        most = SHIFTED if spot.shift and "ood" not in metric.asks else DRAWS
        yield spot, _of_set(metric, case, cut, resampler, most)


def _of_set(metric: Metric, case: Case, cut: Slice, resampler: Resampler, most: int) -> Reading:
    offered = {name: of for name, of in case.offered.items() if name in metric.asks}
    if cut.rows is not None:
        offered |= {name: _rows(offered[name], cut.rows) for name in OWN if name in offered}
    value = attempt(lambda: float(metric(offered)), case.key, cut.n)
    if isinstance(value, Reading):
        return value
    draws = attempt(lambda: _draws(metric, offered, (value, cut), resampler, most), case.key, cut.n)
    if isinstance(draws, Reading):
        return draws
    between = attempt(lambda: _reach(metric, offered, cut, resampler), case.key)
    clean = not cut.name and not case.spot.shift
    curve = attempt(lambda: metric.curve(offered), case.key) if clean else None
    shown = None if isinstance(curve, Reading) else curve
    more = {"curve": shown, "reach": None if isinstance(between, Reading) else between}
    return drawn(metric.facts, cut, value, draws, evidence=case.key, units=resampler.own_of(cut.rows), **more)


def _reach(metric: Metric, offered: Mapping[str, Any], cut: Slice, resampler: Resampler) -> tuple[float, float] | None:
    """The interval of a number that is the size of deviations, with what bounds them held where it is: one that holds at 0."""
    if "held" not in metric.companions or offered["predictions"].logits.shape[1] > CLASSES:
        return None
    found, draws = [], []
    for cells in metric.held(offered):  # one at a time: of many classes all together would not fit
        found.append(sums((cells,))[0, cells.count :] / len(cells.code))
        draws.append(resampler.part_means((cells,), cut.rows)[:, cells.count :])
    return reach(metric.size, np.concatenate(found), np.concatenate(draws, axis=1), LEVEL)


def _rows(of: Any, rows: np.ndarray) -> Any:
    return {name: values[rows] for name, values in of.items()} if isinstance(of, Mapping) else of.take(rows)


def _draws(metric: Metric, offered: Mapping[str, Any], found: tuple[float, Slice], resampler: Resampler, most: int) -> np.ndarray:
    value, cut = found
    size = resampler.n * (offered["predictions"].logits.shape[1] if "predictions" in offered else 1)
    if (size * most > CELLS or not metric.weighted) and "ood" not in metric.asks:
        influence = metric.influence(offered)
        if influence is not None:  # the bootstrap of the linear part, which is all that matters in a large set
            column = np.zeros((resampler.n, 1))
            column[slice(None) if cut.rows is None else cut.rows, 0] = influence
            return value + resampler.means(column, cut.rows)[:, 0]
    count = min(resampler.draws, max(LEAST, min(most, WEIGHTS // max(1, resampler.n))) if metric.weighted else LEAST)
    beside = list(resampler.beside(len(offered["ood"].ids)).blocks(count)) if "ood" in metric.asks else None
    other = None if beside is None else np.concatenate(beside)
    parts, start = [], 0
    for block in resampler.blocks(count):
        weights = block if cut.rows is None else block.take(cut.rows, axis=1)
        also = None if other is None else other[start : start + len(weights)]
        parts.append(_weighted(metric, offered, weights, also) if metric.weighted else _gathered(metric, offered, weights, also))
        start += len(weights)
    return np.concatenate(parts)


def _weighted(metric: Metric, offered: Mapping[str, Any], weights: np.ndarray, also: np.ndarray | None) -> np.ndarray:
    extra = {} if also is None else {"ood_weights": also}
    return np.asarray(metric({**offered, "weights": weights, **extra}), dtype=np.float64)


def _gathered(metric: Metric, offered: Mapping[str, Any], weights: np.ndarray, also: np.ndarray | None) -> np.ndarray:
    own = OWN if "predictions" in metric.asks or "features" in metric.asks else ("validation",)
    found = []
    for b, draw in enumerate(weights):
        rows = np.repeat(np.arange(len(draw)), draw.astype(int))
        part = {name: _rows(offered[name], rows) for name in own if name in offered}
        if also is not None:
            more = np.repeat(np.arange(also.shape[1]), also[b].astype(int))
            part |= {name: _rows(offered[name], more) for name in ("ood", "ood_features") if name in offered}
        try:
            found.append(float(metric({**offered, **part})))
        except Undefined:
            found.append(np.nan)
    return np.array(found)
