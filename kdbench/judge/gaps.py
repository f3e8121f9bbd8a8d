"""What the numbers of the groups of a column say together: gap, ratio, worst group; harm against the teacher; lift."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from kdbench.judge.extremes import distance, extreme, proportion, widened
from kdbench.judge.means import too_few
from kdbench.judge.readings import Reading, Readings, Spot, difference, nothing
from kdbench.judge.slices import Cuts, Grouping, Slice

RATIOS, HARMS = frozenset({"quality", "bias"}), frozenset({"quality", "calibration"})
"""Axes of whose metrics a ratio between groups, and a harm to a group, is meant when people speak of one."""


def group_summaries(readings: Readings, cuts: Cuts, better: str, axis: str) -> Iterator[tuple[Spot, Reading]]:
    """For each group column, largest minus smallest value of its groups ("sex:gap"), smallest over largest ("sex:ratio") and
    the worst ("sex:worst").
    """
    for spot in [s for s in readings if not s.slice and not s.shift]:
        if readings[spot].status == "not applicable":
            continue
        for grouping in cuts.groupings:
            parts = {c: readings[at] for c in grouping.compared if (at := replace(spot, slice=c.name)) in readings}
            trouble = _trouble(parts, grouping)
            column, count = grouping.column, len(grouping.slices)
            yield replace(spot, slice=f"{column}:gap"), trouble or _gap(parts, count)
            if axis in RATIOS:
                yield replace(spot, slice=f"{column}:ratio"), trouble or _ratio(parts, count)
            if better in ("higher", "lower"):
                yield replace(spot, slice=f"{column}:worst"), trouble or _worst(parts, better, count)


def harms(readings: Readings, cuts: Cuts, better: str) -> Iterator[tuple[Spot, Reading]]:
    """h_g = (m_S,g - m_T,g) - (m_S - m_T), turned so that a positive one is a harm: what compression cost group g beyond what it
    cost everybody. For a mean over examples the h_g weighted by group size sum to zero, so harm to one is a favour to others.
    """
    if better not in ("higher", "lower"):
        return
    teachers = {(s.target, s.seed): s for s in readings if s.contender == "teacher" and not s.slice and not s.shift}
    for spot in [s for s in readings if s.contender != "teacher" and not s.slice and not s.shift]:
        of = teachers.get((spot.target, spot.seed)) or next(
            (t for (w, _), t in sorted(teachers.items()) if w == spot.target), None
        )
        if of is None or not readings[of].known:
            continue
        overall = difference(readings[spot], readings[of])
        for cut in cuts:
            ours, theirs = replace(spot, slice=cut.name), replace(of, slice=cut.name)
            if cut.name and ours in readings and theirs in readings:
                harm = difference(difference(readings[ours], readings[theirs]), overall)
                yield replace(spot, slice=f"{cut.name}:harm"), _harm(harm, readings[ours], cut, better)


def _harm(harm: Reading, ours: Reading, cut: Slice, better: str) -> Reading:
    sign = -1.0 if better == "higher" else 1.0
    draws = None if harm.draws is None else sign * harm.draws
    if not harm.known:
        return harm
    reach = harm.reach if harm.reach is None or sign > 0 else harm.reach[::-1]
    return Reading(sign * harm.value, draws, cut.n, reason=cut.reason, evidence=ours.evidence, units=ours.units, reach=reach)


def lifts(readings: Readings, cuts: Cuts) -> Iterator[tuple[Spot, Reading]]:
    """The value in a group over the value of all: P(g | marked) / P(g) for a share of marked examples (Hooker et al. 2020)."""
    for spot in [s for s in readings if not s.slice and not s.shift and readings[s].known]:
        of = readings[spot]
        for cut in cuts:
            at = replace(spot, slice=cut.name)
            if not cut.name or at not in readings:
                continue
            name = replace(spot, slice=f"{cut.name}:lift")
            if of.value <= 0:
                yield name, nothing("undefined", "no example is marked", cut.n, of.evidence)
            else:
                yield name, _over(readings[at], of)


def _over(part: Reading, whole: Reading) -> Reading:
    """Part / whole, draw by draw; a draw without a whole says nothing."""
    if not part.known:
        return part
    draws = None
    if part.draws is not None and whole.draws is not None:
        size = min(len(part.draws), len(whole.draws))
        below = whole.draws[:size]
        draws = np.divide(part.draws[:size], below, out=np.full(size, np.nan), where=below > 0)
    return replace(part, value=part.value / whole.value, draws=draws, kind="", hits=None, means=None)


def _trouble(parts: dict[Slice, Reading], grouping: Grouping) -> Reading | None:
    undefined = [(c, r) for c, r in parts.items() if not r.known]
    n = sum(c.n for c in parts)
    if undefined:
        cut, reading = undefined[0]
        return nothing("undefined", f"{cut.name} (n={cut.n}): {reading.reason}", n)
    return nothing("undefined", too_few(grouping), n) if len(parts) < 2 else None


def _gap(parts: dict[Slice, Reading], count: int) -> Reading:
    draws = _stack(list(parts.values()))
    spread = None if draws is None else draws.max(axis=0) - draws.min(axis=0)
    top = max(parts, key=lambda c: parts[c].value)
    low = min(parts, key=lambda c: parts[c].value)
    reason = f"highest {top.level} (n={top.n}), lowest {low.level} (n={low.n}){_left_out(parts, count)}"
    value = parts[top].value - parts[low].value
    first = parts[top]
    made = Reading(value, spread, sum(c.n for c in parts), "ok", reason, first.evidence, min(p.units for p in parts.values()))
    return made if draws is None else replace(made, reach=distance(*_wide(list(parts.values()), draws)))


def _wide(parts: Sequence[Reading], draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values of groups (G,), and their draws (B, G) as wide as few examples ask for; those without one of the groups go."""
    values, units = (np.array([getattr(part, name) for part in parts]) for name in ("value", "units"))
    known = draws.T[np.isfinite(draws).all(axis=0)]
    return values, widened(values, known, units, np.array([part.kind == "rate" for part in parts]))


def _ratio(parts: dict[Slice, Reading], count: int) -> Reading:
    top = max(parts, key=lambda c: parts[c].value)
    low = min(parts, key=lambda c: parts[c].value)
    n = sum(c.n for c in parts)
    if parts[low].value < 0 or parts[top].value <= 0:
        return nothing("undefined", "a ratio of numbers that are not positive", n, parts[top].evidence)
    draws = _stack(list(parts.values()))
    spread = None
    if draws is not None:
        above = draws.max(axis=0)
        spread = np.divide(draws.min(axis=0), above, out=np.full(above.shape, np.nan), where=above > 0)
    reason = f"lowest {low.level} (n={low.n}), highest {top.level} (n={top.n}){_left_out(parts, count)}"
    units = min(p.units for p in parts.values())
    made = Reading(parts[low].value / parts[top].value, spread, n, "ok", reason, parts[top].evidence, units)
    return made if draws is None else replace(made, reach=proportion(*_wide(list(parts.values()), draws)))


def _worst(parts: dict[Slice, Reading], better: str, count: int) -> Reading:
    pick: Callable[..., Slice] = min if better == "higher" else max
    worst = pick(parts, key=lambda c: parts[c].value)
    draws = _stack(list(parts.values()))
    lowest = None if draws is None else (draws.min(axis=0) if better == "higher" else draws.max(axis=0))
    reason = f"{worst.level} (n={worst.n}){_left_out(parts, count)}"
    first = parts[worst]
    made = Reading(first.value, lowest, worst.n, "ok", reason, first.evidence, first.units)
    if draws is None:
        return made
    return replace(made, reach=extreme(*_wide(list(parts.values()), draws), np.min if better == "higher" else np.max))


def _left_out(parts: dict[Slice, Reading], count: int) -> str:
    left = count - len(parts)
    return f"; {left} of {count} groups left out: too small, or not known" if left else ""


def _stack(parts: Sequence[Reading]) -> np.ndarray | None:
    draws = [p.draws for p in parts if p.draws is not None]
    if len(draws) < len(parts):
        return None
    size = min(map(len, draws))
    return np.stack([d[:size] for d in draws])
