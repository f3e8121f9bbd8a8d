"""What is retained of the teacher's quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kdbench.judge.derived.seats import TEACHER, Seats, named
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.judge.rows import Subject


def retention(seats: Seats, of: Subject, setup: Mapping[str, Any]) -> Iterator[tuple[Subject, Mapping[Spot, Reading]]]:
    """Retention m / m^T: the share of the teacher's value that is kept, for metrics of quality that start at 0 and
    are better when higher.

    Undefined where the teacher is no better than a constant guess (setup["baseline"]): a share of nothing learned says nothing.
    """
    if (of.facts["axis"], of.facts["better"], of.range[0]) != ("quality", "higher", 0.0):
        return
    floor = setup["baseline"]() if "baseline" in setup else None
    table: dict[Spot, Reading] = {}
    for seat, held in seats.sets.items():
        other = None if seat.contender == TEACHER else seats.partner(seat, TEACHER)
        if other is None:
            continue
        for shift, ours in held.items():
            theirs = seats.sets[other].get(shift, nothing("undefined", "the teacher has no number here"))
            table[replace(seat, shift=shift)] = _share(ours, theirs, 0.0 if floor is None else float(floor))
    said = "not known" if floor is None else f"{float(floor):.4g}"
    facts = {
        "title": "Retention",
        "convention": f"share of the teacher's value; undefined where the teacher is no better than a constant guess ({said})",
        "unit": "ratio",
        "better": "higher",
        "axis": "quality",
        "equation": "m_S / m_T",
        "source": "Sanh et al. 2019, DistilBERT (share of the teacher's score that is retained)",
        "low": 0.0,
    }
    yield named(of, "retention", facts), table


def _share(ours: Reading, theirs: Reading, floor: float) -> Reading:
    if not (ours.known and theirs.known):
        absent = theirs if ours.known else ours
        return nothing(absent.status, absent.reason, absent.n, ours.evidence)
    if theirs.value <= floor:
        why = f"the teacher ({theirs.value:.4g}) is no better than a constant guess ({floor:.4g})"
        return nothing("undefined", why, ours.n, ours.evidence)
    draws = None
    if ours.draws is not None and theirs.draws is not None:
        size = min(len(ours.draws), len(theirs.draws))
        top, bottom = ours.draws[:size], theirs.draws[:size]
        draws = np.divide(top, bottom, out=np.full(size, np.nan), where=bottom > 0)
    value = ours.value / theirs.value
    return Reading(value, draws, ours.n, ours.status, ours.reason, ours.evidence, ours.units)
