"""The readings of one metric, arranged: who (a seat), and under which shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kdbench.judge.readings import Reading, Readings, Spot, mean, nothing
from kdbench.judge.rows import Subject

CLEAN, ALL = "", "*"
"""The shift column of the clean set, and of the mean over all shifts."""
TEACHER = "teacher"
HEADLINE = "accuracy"
"""The metric whose derived numbers carry their bare names, as the literature uses them; those of others say `of=METRIC`."""


@dataclass(frozen=True, slots=True)
class Seats:
    """sets: seat (a Spot on the clean set) -> shift -> the mean over severities; with CLEAN, and ALL as the mean over shifts.
    shifts: their names, without those two. planned: contender -> its planned seeds.
    """

    sets: Mapping[Spot, Mapping[str, Reading]]
    shifts: tuple[str, ...]
    planned: Mapping[str, Sequence[int]]

    @staticmethod
    def of(readings: Readings, setup: Mapping[str, Any]) -> Seats:
        """Arrange readings of whole sets. Shifts are found by name; a part that is missing makes its means undefined."""
        whole = [s for s in readings if not s.slice and s.shift != ALL and not s.shift.startswith("ood:")]
        levels: dict[str, set[int]] = {}
        for spot in whole:
            if spot.shift:
                levels.setdefault(spot.shift, set()).add(spot.severity)
        ladders = {shift: sorted(of - {0}) or [0] for shift, of in levels.items()}
        sets: dict[Spot, dict[str, Reading]] = {}
        for seat in dict.fromkeys(replace(s, shift=CLEAN, severity=0) for s in whole):
            held = {CLEAN: readings[seat]} if seat in readings else {}
            key = held[CLEAN].evidence if held else ""
            for shift, ladder in ladders.items():
                parts = [_find(readings, replace(seat, shift=shift, severity=level)) for level in ladder]
                held[shift] = replace(mean(parts), evidence=key)
            if ladders:
                held[ALL] = replace(mean([held[shift] for shift in ladders]), evidence=key)
            sets[seat] = held
        return Seats(sets, tuple(ladders), dict(setup.get("seeds", {})))

    def partner(self, seat: Spot, name: str) -> Spot | None:
        """The seat of another contender that this one is paired with: of the same target and seed, or of the only seed that the
        other has by plan. The teacher stands in with its first seed, as everywhere. None if there is none.
        """
        same = replace(seat, contender=name)
        if same in self.sets:
            return same
        there = sorted(s.seed for s in self.sets if replace(s, seed=seat.seed) == same)
        if there and (name == TEACHER or len(self.planned.get(name, there)) == 1):
            return replace(same, seed=there[0])
        return None


def _find(readings: Readings, spot: Spot) -> Reading:
    what = f"{spot.shift} {spot.severity}" if spot.severity else spot.shift
    return readings.get(spot, nothing("undefined", f"there are no predictions under {what}"))


def named(of: Subject, name: str, facts: Mapping[str, Any], base: str = "") -> Subject:
    """The subject of a derived number: `name`, or `name{base=B,of=METRIC}` where it is not about the headline metric.

    facts: title, convention, unit, better, axis, equation, source, low, high. The convention of the metric itself is added.
    """
    parts = {"base": base, "of": "" if of.metric == HEADLINE else of.metric}
    said = ",".join(f"{k}={v}" for k, v in parts.items() if v)
    convention = f"{facts['convention']}; of {of.metric}: {of.facts['convention']}"
    title = facts["title"] if of.metric == HEADLINE else f"{facts['title']} ({of.facts['title']})"
    full = {"version": 1, **facts, "title": title, "convention": convention}
    compared = bool(facts.get("compared", False)) and of.compared
    return Subject(of.task, f"{name}{{{said}}}" if said else name, full, compared, (facts.get("low"), facts.get("high")))
