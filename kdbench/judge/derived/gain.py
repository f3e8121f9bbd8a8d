"""What distillation gained: the difference to the same architecture trained from scratch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from kdbench.judge.derived.seats import CLEAN, TEACHER, Seats, named
from kdbench.judge.readings import Reading, Spot, difference, nothing
from kdbench.judge.rows import Subject

AXES = ("quality", "calibration", "fidelity")


def gain(seats: Seats, of: Subject, setup: Mapping[str, Any]) -> Iterator[tuple[Subject, Mapping[Spot, Reading]]]:
    """m(f) - m(twin), turned so that positive is better: the twin has the same architecture, trained from scratch, without a
    teacher. Paired by seed and by draw. Under a shift this is the relative robustness tau of Taori et al. 2020.

    Not applicable without a twin in the suite, undefined where the twin of this seed has no number. Twins have no row.
    """
    better = str(of.facts["better"])
    if "plain" not in setup or str(of.facts["axis"]) not in AXES or better not in ("higher", "lower"):
        return
    twins: Mapping[str, str] = setup.get("twins", {})
    table: dict[Spot, Reading] = {}
    for seat, held in seats.sets.items():
        if seat.contender == TEACHER or seat.contender in setup["plain"]:
            continue
        twin = twins.get(seat.contender, "")
        if not twin and not setup.get("ranking"):  # said once, for the metric that ranks
            continue
        if not twin:
            n, key = next(((r.n, r.evidence) for r in held.values()), (None, ""))
            table[replace(seat, shift=CLEAN)] = nothing("not applicable", "no from-scratch twin in the suite", n, key)
            continue
        other = seats.partner(seat, twin)
        for shift, ours in held.items():
            theirs = _of(seats, other, shift, f"the twin {twin} has no result at seed {seat.seed}")
            table[replace(seat, shift=shift)] = _difference(ours, theirs, better, twin)
    facts = {
        "title": "Gain over the from-scratch twin",
        "convention": "difference to the same architecture trained from scratch without a teacher, paired by seed; "
        "positive is better than the twin",
        "unit": of.facts["unit"],
        "better": "higher",
        "axis": of.facts["axis"],
        "equation": "m(f) - m(twin)" if better == "higher" else "m(twin) - m(f)",
        "source": "Taori et al. 2020, section 2 (relative robustness, for the rows under shift)",
    }
    yield named(of, "gain", facts), table


def _of(seats: Seats, other: Spot | None, shift: str, absent: str) -> Reading:
    found = None if other is None else seats.sets[other].get(shift)
    return nothing("undefined", absent) if found is None else found


def _difference(ours: Reading, theirs: Reading, better: str, twin: str) -> Reading:
    for one, who in ((ours, ""), (theirs, f"{twin}: ")):
        if not one.known:
            reason = one.reason if one.reason.startswith("the twin") else f"{who}{one.reason}"
            return nothing(one.status, reason, ours.n, ours.evidence)
    found = difference(ours, theirs) if better == "higher" else difference(theirs, ours)
    return replace(found, n=ours.n, evidence=ours.evidence, units=ours.units, reason=f"over {twin}")
