"""What the readings of several severities and shifts say together: their means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kdbench.judge.readings import Reading, Readings, Spot, mean, nothing

ALL = "*"
"""The shift column of a mean over all shifts; "ood:*" of one over all companion sets."""


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
