"""What several readings say together: gaps between groups, means over severities and shifts, errors relative to the teacher's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from kdbench.judge.readings import Reading, Readings, Spot, mean, nothing
from kdbench.judge.slices import Slice

ALL = "*"
"""The shift column of a mean over all shifts; "ood:*" of one over all companion sets."""


def group_summaries(readings: Readings, cuts: Sequence[Slice], better: str) -> Iterator[tuple[Spot, Reading]]:
    """For each group column, largest minus smallest value of its groups ("sex:gap") and the worst ("sex:worst")."""
    columns = dict.fromkeys(c.column for c in cuts if c.column)
    for spot in [s for s in readings if not s.slice and not s.shift]:
        if readings[spot].status == "not applicable":
            continue
        for column in columns:
            groups = [c for c in cuts if c.column == column]
            parts = {c: readings[at] for c in groups if c.enough and (at := replace(spot, slice=c.name)) in readings}
            yield replace(spot, slice=f"{column}:gap"), _gap(parts, len(groups))
            if better in ("higher", "lower"):
                yield replace(spot, slice=f"{column}:worst"), _worst(parts, better, len(groups))


def _trouble(parts: dict[Slice, Reading], count: int) -> Reading | None:
    undefined = [(c, r) for c, r in parts.items() if not r.known]
    n = sum(c.n for c in parts)
    if undefined:
        cut, reading = undefined[0]
        return nothing("undefined", f"{cut.name} (n={cut.n}): {reading.reason}", n)
    if len(parts) < 2:
        why = (
            "one group only: nothing to compare"
            if count < 2
            else f"{len(parts)} of {count} groups are large enough: nothing to compare"
        )
        return nothing("undefined", why, n)
    return None


def _gap(parts: dict[Slice, Reading], count: int) -> Reading:
    trouble = _trouble(parts, count)
    if trouble:
        return trouble
    draws = _stack(list(parts.values()))
    spread = None if draws is None else draws.max(axis=0) - draws.min(axis=0)
    top = max(parts, key=lambda c: parts[c].value)
    low = min(parts, key=lambda c: parts[c].value)
    reason = f"highest {top.level} (n={top.n}), lowest {low.level} (n={low.n}){_left_out(parts, count)}"
    value = parts[top].value - parts[low].value
    first = parts[top]
    return Reading(value, spread, sum(c.n for c in parts), "ok", reason, first.evidence, min(p.units for p in parts.values()))


def _worst(parts: dict[Slice, Reading], better: str, count: int) -> Reading:
    trouble = _trouble(parts, count)
    if trouble:
        return trouble
    pick: Callable[..., Slice] = min if better == "higher" else max
    worst = pick(parts, key=lambda c: parts[c].value)
    draws = _stack(list(parts.values()))
    extreme = None if draws is None else (draws.min(axis=0) if better == "higher" else draws.max(axis=0))
    reason = f"{worst.level} (n={worst.n}){_left_out(parts, count)}"
    return Reading(parts[worst].value, extreme, worst.n, "ok", reason, parts[worst].evidence, parts[worst].units)


def _left_out(parts: dict[Slice, Reading], count: int) -> str:
    left = count - len(parts)
    return f"; {left} of {count} groups left out: too small, or not known" if left else ""


def _stack(parts: Sequence[Reading]) -> np.ndarray | None:
    draws = [p.draws for p in parts if p.draws is not None]
    if len(draws) < len(parts):
        return None
    size = min(map(len, draws))
    return np.stack([d[:size] for d in draws])


def shift_summaries(readings: Readings) -> Iterator[tuple[Spot, Reading]]:
    """The mean over severities of each shift (severity 0), and of those over all shifts ("*"). A missing part is not left out."""
    shifted = [s for s in readings if s.shift and not s.slice]
    severities: dict[str, list[int]] = {}
    for spot in shifted:
        held = severities.setdefault(spot.shift, [])
        if spot.severity not in held:
            held.append(spot.severity)
    plain = {k: sorted(v) for k, v in severities.items() if not k.startswith("ood:")}
    foreign = [k for k in severities if k.startswith("ood:")]
    for seat in dict.fromkeys(replace(s, shift="", severity=0) for s in shifted):
        means = []
        for shift, levels in plain.items():
            one = mean([_find(readings, replace(seat, shift=shift, severity=level)) for level in levels])
            means.append(one)
            yield replace(seat, shift=shift), replace(one, evidence=_key(readings, seat))
        if means:
            yield replace(seat, shift=ALL), replace(mean(means), evidence=_key(readings, seat))
        if foreign:
            one = mean([_find(readings, replace(seat, shift=shift)) for shift in foreign])
            yield (
                replace(seat, shift=f"ood:{ALL}"),
                replace(one, evidence=_find(readings, replace(seat, shift=foreign[0])).evidence),
            )


def _find(readings: Readings, spot: Spot) -> Reading:
    what = f"{spot.shift} {spot.severity}" if spot.severity else spot.shift
    return readings.get(spot, nothing("undefined", f"there are no predictions under {what}"))


def _key(readings: Readings, seat: Spot) -> str:
    return readings[seat].evidence if seat in readings else ""


def corruption_errors(readings: Readings, error: Callable[[np.ndarray], np.ndarray]) -> Iterator[tuple[Spot, Reading]]:
    """CE^T_c = sum_s E_sc / sum_s E^T_sc: the error under shift c relative to the teacher's, a ratio of sums (Hendrycks and
    Dietterich 2019, the teacher in AlexNet's place), and its mean over shifts ("*"). Undefined where the teacher has no error.
    """
    spots = [s for s in readings if s.shift and s.severity and not s.slice]
    seats = dict.fromkeys(replace(s, shift="", severity=0) for s in spots)
    shifts = {c: sorted({s.severity for s in spots if s.shift == c}) for c in dict.fromkeys(s.shift for s in spots)}
    for seat in seats:
        teachers = sorted({s.seed for s in spots if s.contender == "teacher" and s.target == seat.target})
        if not teachers:
            continue
        of_teacher = replace(seat, contender="teacher", seed=seat.seed if seat.seed in teachers else teachers[0])
        found = []
        for shift, levels in shifts.items():
            ours, theirs = (
                mean([_find(readings, replace(who, shift=shift, severity=level)) for level in levels])
                for who in (seat, of_teacher)
            )
            one = replace(_relative(ours, theirs, error), evidence=_key(readings, seat))
            found.append((shift, one))
            yield replace(seat, shift=shift), one
        known = [r for _, r in found if r.known]
        every = mean(known) if known else found[0][1]
        lost = ", ".join(shift for shift, r in found if not r.known)
        reason = f"without {lost}: {next(r.reason for _, r in found if not r.known)}" if lost and known else every.reason
        yield replace(seat, shift=ALL), replace(every, evidence=_key(readings, seat), reason=reason)


def _relative(ours: Reading, theirs: Reading, error: Callable[[np.ndarray], np.ndarray]) -> Reading:
    if not (ours.known and theirs.known):
        return ours if not ours.known else theirs
    base = float(error(np.array(theirs.value)))
    if base <= 0:
        return nothing("undefined", "the teacher makes no error under this shift", ours.n)
    draws = None
    if ours.draws is not None and theirs.draws is not None:
        above, below = error(ours.draws), error(theirs.draws)
        draws = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 1e-12)
    return Reading(float(error(np.array(ours.value))) / base, draws, ours.n, units=ours.units)
