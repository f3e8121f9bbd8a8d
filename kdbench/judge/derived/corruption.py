"""Errors under shift relative to a base: the teacher's, or those of a named contender (Hendrycks and Dietterich 2019)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kdbench.judge.derived.seats import ALL, CLEAN, TEACHER, Seats, named
from kdbench.judge.readings import Reading, Readings, Spot, difference, mean, nothing
from kdbench.judge.rows import Subject

SOURCE = "Hendrycks and Dietterich 2019, Benchmarking neural network robustness, section 4.2"
LEAST = 1e-12
"""A base's error below this is none."""
TAIL = 0.025

Error = Callable[[np.ndarray], np.ndarray]


def corruption(
    readings: Readings, error: Error, of: Subject, setup: Mapping[str, Any]
) -> Iterator[tuple[Subject, Mapping[Spot, Reading]]]:
    """CE_c = sum_s E_s,c / sum_s E^base_s,c, and the relative one, sum_s (E_s,c - E) / sum_s (E^base_s,c - E^base); E: error.

    Sums run over the severities s of a shift c: a ratio of sums, never a mean of ratios. "*" is the mean over shifts. Shifts are
    found by name. The base is the teacher, and the contender setup["base"] if one is named.
    """
    seats = Seats.of({spot: _errors(reading, error) for spot, reading in readings.items()}, setup)
    if not seats.shifts:
        return
    other = str(setup.get("base", ""))
    for base in dict.fromkeys(name for name in (TEACHER, other) if name):
        if not any(seat.contender == base for seat in seats.sets) and base == TEACHER:
            continue
        for relative in (False, True):
            yield _subject(of, base, relative, setup), _table(seats, base, relative)


def _errors(reading: Reading, error: Error) -> Reading:
    if not reading.known:
        return reading
    draws = None if reading.draws is None else error(reading.draws)
    return replace(reading, value=float(error(np.array(reading.value))), draws=draws, kind="")


def _table(seats: Seats, base: str, relative: bool) -> dict[Spot, Reading]:
    table: dict[Spot, Reading] = {}
    for seat, ours in seats.sets.items():
        other = seats.partner(seat, base)
        theirs: Mapping[str, Reading] = {} if other is None else seats.sets[other]
        trouble, found = {}, {}
        for shift in seats.shifts:
            below = _part(theirs, shift, relative) if theirs else nothing("undefined", f"{base} has no result at this seed")
            trouble[shift] = _unfit(below, base, relative)
            above = _part(ours, shift, relative)
            one = _ratio(above, below, trouble[shift]) if above.known else above
            found[shift] = replace(one, evidence=ours[shift].evidence)
            table[replace(seat, shift=shift)] = found[shift]
        table[replace(seat, shift=ALL)] = replace(_every(found, trouble), evidence=ours[ALL].evidence)
    return table


def _part(held: Mapping[str, Reading], shift: str, relative: bool) -> Reading:
    """E_c, or E_c - E: means over severities, because the number of severities cancels in the ratio."""
    if not relative:
        return held[shift]
    clean = held.get(CLEAN, nothing("undefined", "there are no predictions on the clean set"))
    return difference(held[shift], clean)


def _unfit(below: Reading, base: str, relative: bool) -> str:
    """Why the base's error cannot be divided by, "" if it can."""
    who = "the teacher" if base == TEACHER else base
    if not below.known:
        return below.reason if below.reason.startswith(base) else f"{who}: {below.reason}"
    if not relative:
        return "" if below.value > LEAST else f"{who} makes no error under this shift"
    if below.value <= LEAST:
        return f"{who} loses nothing under this shift"
    draws = np.empty(0) if below.draws is None else below.draws[np.isfinite(below.draws)]
    if len(draws) and np.quantile(draws, TAIL) <= LEAST:
        return f"what {who} loses under this shift ({below.value:.4f}) is not known to be above 0: a ratio to it is unstable"
    return ""


def _ratio(above: Reading, below: Reading, trouble: str) -> Reading:
    if trouble:
        return nothing("undefined", trouble, above.n)
    draws = None
    if above.draws is not None and below.draws is not None:
        size = min(len(above.draws), len(below.draws))
        top, bottom = above.draws[:size], below.draws[:size]
        draws = np.divide(top, bottom, out=np.full(size, np.nan), where=bottom > LEAST)
    return Reading(above.value / below.value, draws, above.n, above.status, above.reason, units=above.units)


def _every(found: Mapping[str, Reading], trouble: Mapping[str, str]) -> Reading:
    """The mean over shifts. A shift that the base cannot serve is left out for every contender, and named; any other is not."""
    lost = [shift for shift, why in trouble.items() if why]
    kept = [reading for shift, reading in found.items() if shift not in lost]
    if not kept:
        return next(iter(found.values()))
    every = mean(kept)
    if not (lost and every.known):
        return every
    return replace(every, reason=f"without {', '.join(lost)}: {trouble[lost[0]]}")


def _subject(of: Subject, base: str, relative: bool, setup: Mapping[str, Any]) -> Subject:
    whose = "the teacher's" if base == TEACHER else f"those of {base}"
    identity = str(setup.get("base_steps", ""))
    of_base = "" if base == TEACHER or not identity else f" (base: {base}, made by steps {identity})"
    extra = "error under shift minus clean error" if relative else "errors"
    facts = {
        "title": "Relative corruption error" if relative else "Corruption error",
        "convention": f"{extra}, summed over severities, over {whose}{of_base}: a ratio of sums; * is the mean over shifts",
        "unit": "ratio",
        "better": "lower",
        "axis": "robustness",
        "equation": "sum_s (E_s,c - E) / sum_s (E^base_s,c - E^base)" if relative else "sum_s E_s,c / sum_s E^base_s,c",
        "source": SOURCE,
        "low": None if relative else 0.0,
    }
    facts["title"] = f"{facts['title']} / {'teacher' if base == TEACHER else base}"
    name = "relative_corruption_error" if relative else "corruption_error"
    return named(of, name, facts, "" if base == TEACHER else base)
