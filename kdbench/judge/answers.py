"""Numbers from predictions: every contender on every set, over all examples and each group, with their bootstrap draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kdbench.judge.ask import Metric
from kdbench.judge.cases import Case, cases_of
from kdbench.judge.evidence import Examples, Piece, take
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.judge.resample import Resampler
from kdbench.judge.slices import Slice
from kdbench.nouns import NotApplicable, Undefined
from kdbench.store import Entry

COLUMN_CELLS = 16_000_000
"""Cells of per-example columns that are multiplied at once (4 bytes each)."""
SET_DRAWS, SHIFTED_DRAWS, LEAST_DRAWS = 300, 100, 100
"""Draws of a metric of sets: on the clean set, on shifted ones, and where the set is very large or no weights are taken."""
SET_CELLS = 3_000_000
"""Cells of weights that a metric of sets gets at once; larger sets get fewer draws."""


def answers(
    metric: Metric,
    pieces: Sequence[Piece],
    entries: Mapping[str, Entry],
    about: Examples,
    cuts: Sequence[Slice],
    resampler: Resampler,
) -> Iterator[tuple[Spot, Reading]]:
    """Every reading of a metric of predictions. Groups are read on the clean set; sets are opened one after the other."""
    of_predictions = [p for p in pieces if p.evidence == "predictions"]
    tests = [p for p in of_predictions if p.split == "test" and not p.foreign]
    foreign = sorted({p.shift for p in of_predictions if p.foreign}) if "ood" in metric.asks else [""]
    for name in foreign:
        beside = [p for p in of_predictions if p.shift == name] if name else []
        sets = dict.fromkeys((p.shift, p.severity) for p in tests if not (name and p.shift))
        for shift, severity in sets:
            ours = [p for p in tests if (p.shift, p.severity) == (shift, severity)]
            validation = [p for p in of_predictions if p.split == "validation"] if "validation" in metric.asks else []
            cases = list(cases_of(metric, (*ours, *beside, *validation), entries, about))
            cuts_here = [c for c in cuts if not c.name] if shift or name else cuts
            if metric.form == "mean":
                yield from _of_means(metric, cases, cuts_here, resampler)
            else:
                yield from _of_sets(metric, cases, cuts_here, resampler, name)


def _of_means(
    metric: Metric, cases: Sequence[Case], cuts: Sequence[Slice], resampler: Resampler
) -> Iterator[tuple[Spot, Reading]]:
    ready: list[tuple[Case, np.ndarray]] = []
    for case in cases:
        columns = case.problem or _columns(metric, case)
        if isinstance(columns, Reading):
            yield case.spot, columns
            continue
        ready.append((case, columns))
        if sum(c.size for _, c in ready) > COLUMN_CELLS:
            yield from _resampled(metric, ready, cuts, resampler)
            ready = []
    if ready:
        yield from _resampled(metric, ready, cuts, resampler)


def _columns(metric: Metric, case: Case) -> np.ndarray | Reading:
    try:
        columns = np.asarray(metric(case.offered), dtype=np.float64)
    except NotApplicable as error:
        return nothing("not applicable", str(error), evidence=case.key)
    except Undefined as error:
        return nothing("undefined", str(error), evidence=case.key)
    except Exception as error:  # a metric that breaks on one contender costs that row only
        return nothing("failed", f"{type(error).__name__}: {error}", evidence=case.key)
    columns = columns[:, None] if columns.ndim == 1 else columns
    bad = int((~np.isfinite(columns)).any(axis=1).sum())
    if len(columns) != len(case.offered["predictions"].ids) or bad:
        what = (
            f"{bad} of {len(columns)} rows are not finite"
            if bad
            else f"{len(columns)} rows of columns for another number of examples"
        )
        return nothing("failed", f"invalid columns: {what}", evidence=case.key)
    return columns


def _resampled(
    metric: Metric, ready: Sequence[tuple[Case, np.ndarray]], cuts: Sequence[Slice], resampler: Resampler
) -> Iterator[tuple[Spot, Reading]]:
    stack = np.concatenate([c for _, c in ready], axis=1).astype(np.float32)
    edges = np.cumsum([0, *(c.shape[1] for _, c in ready)])
    for cut in cuts:
        means = resampler.means(stack, cut.rows) if cut.n else None
        for (case, columns), start, stop in zip(ready, edges[:-1], edges[1:], strict=True):
            spot = _at(case.spot, cut)
            if means is None:
                yield spot, nothing("undefined", "no examples", 0, case.key)
                continue
            of_cut = columns if cut.rows is None else columns[cut.rows]
            mean = of_cut.mean(axis=0)
            value = float(metric.finish(mean))
            draws = metric.finish(means[:, start:stop])
            rate = columns.shape[1] == 1 and "finish" not in metric.companions and bool(((columns == 0) | (columns == 1)).all())
            kind = "rate" if rate and resampler.cluster is None else ""
            beside = {"evidence": case.key, "units": _units(resampler, cut), "kind": kind, "means": mean}
            yield spot, _reading(metric, cut, value, draws, **beside)


def _of_sets(
    metric: Metric, cases: Sequence[Case], cuts: Sequence[Slice], resampler: Resampler, foreign: str
) -> Iterator[tuple[Spot, Reading]]:
    for cut in cuts:
        weights = None
        for case in cases:
            spot = _at(case.spot, cut)
            if case.problem or not cut.n:
                yield spot, case.problem or nothing("undefined", "no examples", 0, case.key)
                continue
            if weights is None:
                weights = _set_weights(metric, cut, resampler, shifted=bool(spot.shift) and not foreign)
            yield spot, _of_set(metric, case, cut, resampler, weights)


def _of_set(metric: Metric, case: Case, cut: Slice, resampler: Resampler, weights: np.ndarray) -> Reading:
    offered = dict(case.offered)
    for name in ("predictions", "teacher"):
        if name in offered and cut.rows is not None:
            offered[name] = take(offered[name], cut.rows)
    try:
        value = float(metric(offered))
        draws = _set_draws(metric, offered, weights, resampler)
    except NotApplicable as error:
        return nothing("not applicable", str(error), cut.n, case.key)
    except Undefined as error:
        return nothing("undefined", str(error), cut.n, case.key)
    except Exception as error:  # as above
        return nothing("failed", f"{type(error).__name__}: {error}", cut.n, case.key)
    return _reading(metric, cut, value, draws, evidence=case.key, units=_units(resampler, cut))


def _set_weights(metric: Metric, cut: Slice, resampler: Resampler, *, shifted: bool) -> np.ndarray:
    """Weights (draws, n) of a slice: fewer draws where sets are large, shifted, or drawn by gathering."""
    most = SHIFTED_DRAWS if shifted else SET_DRAWS
    count = max(LEAST_DRAWS, min(most, SET_CELLS // max(1, resampler.n))) if metric.weighted else LEAST_DRAWS
    weights = resampler.first(min(resampler.draws, count))
    return weights if cut.rows is None else weights.take(cut.rows, axis=1)


def _set_draws(metric: Metric, offered: Mapping[str, Any], weights: np.ndarray, resampler: Resampler) -> np.ndarray:
    count, n = weights.shape
    beside = resampler.beside(len(offered["ood"].ids)).first(count) if "ood" in offered else None
    if metric.weighted:
        extra = {} if beside is None else {"ood_weights": beside}
        return np.asarray(metric({**offered, "weights": weights, **extra}), dtype=np.float64)
    found = []
    for b in range(count):
        rows = np.repeat(np.arange(n), weights[b].astype(int))
        drawn = {name: take(offered[name], rows) for name in ("predictions", "teacher") if name in offered}
        if beside is not None:
            drawn["ood"] = take(offered["ood"], np.repeat(np.arange(beside.shape[1]), beside[b].astype(int)))
        try:
            found.append(float(metric({**offered, **drawn})))
        except Undefined:
            found.append(np.nan)
    return np.array(found)


def _at(spot: Spot, cut: Slice) -> Spot:
    return replace(spot, slice=cut.name)


def _units(resampler: Resampler, cut: Slice) -> int:
    if resampler.cluster is None:
        return cut.n
    return len(np.unique(resampler.cluster if cut.rows is None else resampler.cluster[cut.rows]))


def _reading(metric: Metric, cut: Slice, value: float, draws: np.ndarray, **rest: Any) -> Reading:
    """A value with its draws; a NaN is undefined, and says what that means for this metric."""
    if np.isnan(value):
        return nothing("undefined", str(metric.facts.get("undefined") or "the metric gives NaN here"), cut.n, rest["evidence"])
    lost = int(np.isnan(draws).sum())
    said = [cut.reason, f"{lost} of {len(draws)} bootstrap draws are undefined" if lost else ""]
    return Reading(value, draws, cut.n, reason="; ".join(filter(None, said)), **rest)
