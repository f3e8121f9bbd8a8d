"""The shift that hurts most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from kdbench.judge.derived.seats import CLEAN, Seats, named
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.judge.rows import Subject


def worst(seats: Seats, of: Subject) -> Iterator[tuple[Subject, Mapping[Spot, Reading]]]:
    """min_c mean_s m_s,c (max where lower is better): the metric m under the worst shift c, a mean over severities s.

    One shift per contender and target: the one that is worst in the mean over its seeds; each seed is read at that shift, and in
    each bootstrap draw it is sought again. A shift without a number makes it undefined: that one may be the worst.
    """
    better = str(of.facts["better"])
    if len(seats.shifts) < 2 or str(of.facts["axis"]) != "quality" or better not in ("higher", "lower"):
        return
    groups: dict[Spot, list[Spot]] = {}
    for seat in seats.sets:
        groups.setdefault(replace(seat, seed=0), []).append(seat)
    table: dict[Spot, Reading] = {}
    for members in groups.values():
        parts = {seat: [seats.sets[seat][shift] for shift in seats.shifts] for seat in members}
        table |= {seat: _missing(seats, of_seat) for seat, of_seat in parts.items() if not all(r.known for r in of_seat)}
        table |= _of_group({seat: of for seat, of in parts.items() if seat not in table}, seats, better)
    facts = {
        "title": "Worst shift",
        "convention": "each shift is the mean over its severities; the shift that is worst in the mean over seeds",
        "unit": of.facts["unit"],
        "better": better,
        "axis": "robustness",
        "equation": "min_c mean_s m_s,c" if better == "higher" else "max_c mean_s m_s,c",
        "source": "Hendrycks and Dietterich 2019 (severities); the worst case over shifts in place of the mean",
        "compared": True,
        "low": of.range[0],
        "high": of.range[1],
    }
    yield named(of, "worst_shift", facts), {replace(seat, shift=CLEAN): reading for seat, reading in table.items()}


def _missing(seats: Seats, parts: list[Reading]) -> Reading:
    shift, part = next((s, r) for s, r in zip(seats.shifts, parts, strict=True) if not r.known)
    return nothing(part.status, f"{shift}: {part.reason}", part.n, part.evidence)


def _of_group(parts: Mapping[Spot, list[Reading]], seats: Seats, better: str) -> dict[Spot, Reading]:
    if not parts:
        return {}
    sign = 1.0 if better == "higher" else -1.0
    values = np.array([[r.value for r in of] for of in parts.values()])
    at = int(np.argmin(sign * values.mean(axis=0)))
    held = [[r.draws for r in of if r.draws is not None] for of in parts.values()]
    picked: list[np.ndarray | None] = [None] * len(parts)
    if all(len(of) == len(seats.shifts) for of in held):
        size = min(len(d) for of in held for d in of)
        draws = np.array([[d[:size] for d in of] for of in held])
        mean = sign * draws.mean(axis=0)
        again = np.argmin(np.where(np.isnan(mean), np.inf, mean), axis=0)
        picked = list(np.take_along_axis(draws, again[None, None, :], axis=1)[:, 0])
    return {
        seat: replace(of[at], draws=drawn, reason=f"under {seats.shifts[at]}", kind="")
        for (seat, of), drawn in zip(parts.items(), picked, strict=True)
    }
