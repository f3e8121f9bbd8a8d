"""Effective robustness: accuracy under shift beyond what a model of this clean accuracy, trained from scratch, would have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit  # type: ignore[import-untyped]

from kdbench.judge.derived.seats import ALL, CLEAN, Seats, named
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.judge.rows import Subject

LEAST_POINTS, LEAST_CONTENDERS = 3, 2
FLAT = 1e-12
"""Spread of clean accuracy (in logits, squared) below which there is no line."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Models trained from scratch under one shift. clean, shifted: their readings, in the same order; contenders: how many."""

    clean: Sequence[Reading]
    shifted: Sequence[Reading]
    contenders: int
    lost: int

    @property
    def trouble(self) -> str:
        """Why no line can be drawn, "" if one can."""
        different = len({r.value for r in self.clean})
        if self.contenders < LEAST_CONTENDERS:
            return f"{self.contenders} contenders trained from scratch have a number here; a line needs {LEAST_CONTENDERS}"
        if different < LEAST_POINTS:
            return f"{different} different clean accuracies of models trained from scratch; a line needs {LEAST_POINTS}"
        return ""


def effective(seats: Seats, of: Subject, setup: Mapping[str, Any]) -> Iterator[tuple[Subject, Mapping[Spot, Reading]]]:
    """rho(f) = acc_2(f) - beta(acc_1(f)), with acc_1 on the clean set, acc_2 under shift, and beta(a) = expit(u + v logit(a)),
    u and v by ordinary least squares of logit(acc_2) on logit(acc_1) over the models trained from scratch (Taori et al. 2020).

    One line for each target and shift (a mean over severities), and one for the mean over shifts ("*"). Every seed is a point;
    one checkpoint under two names is one point. The line is fitted again in each bootstrap draw.
    """
    if not seats.shifts or "plain" not in setup or of.range != (0.0, 1.0):
        return
    table: dict[Spot, Reading] = {}
    grounds = dict.fromkeys(replace(seat, contender="", seed=0) for seat in seats.sets)
    for ground in grounds:
        members = [seat for seat in seats.sets if replace(seat, contender="", seed=0) == ground]
        for shift in (*seats.shifts, ALL):
            line = _line(seats, [seat for seat in members if seat.contender in set(setup["plain"])], shift)
            if line.trouble and shift != ALL:
                continue  # said once for each contender, not for every shift
            for seat in members:
                table[replace(seat, shift=shift)] = _rho(seats.sets[seat], shift, line)
    facts = {
        "title": "Effective robustness",
        "convention": "accuracy under shift minus that on the line of the models trained from scratch; least squares in logits, "
        "accuracies kept within 0.5/n of 0 and 1; the models of the line are on it only on average",
        "unit": of.facts["unit"],
        "better": "higher",
        "axis": "robustness",
        "equation": "rho = acc_2 - expit(u + v logit(acc_1))",
        "source": "Taori et al. 2020, Measuring robustness to natural distribution shifts, section 2",
        "compared": True,
        "low": -1.0,
        "high": 1.0,
    }
    yield named(of, "effective_robustness", facts), table


def _line(seats: Seats, plain: Sequence[Spot], shift: str) -> Line:
    points: dict[str, tuple[Reading, Reading]] = {}
    names, lost = set(), 0
    for seat in plain:
        held = seats.sets[seat]
        if not (CLEAN in held and held[CLEAN].known and held[shift].known):
            lost += 1
            continue
        key = held[CLEAN].evidence or f"#{seat}"
        if key not in points:
            points[key] = (held[CLEAN], held[shift])
            names.add(seat.contender)
    return Line([c for c, _ in points.values()], [s for _, s in points.values()], len(names), lost)


def _rho(held: Mapping[str, Reading], shift: str, line: Line) -> Reading:
    clean, shifted = held.get(CLEAN, nothing("undefined", "there are no predictions on the clean set")), held[shift]
    absent = next((r for r in (shifted, clean) if not r.known), None)
    if absent is not None:
        return replace(absent, evidence=shifted.evidence)
    if line.trouble:
        return nothing("undefined", line.trouble, shifted.n, shifted.evidence)
    n = shifted.n or 1
    x, y = (np.array([r.value for r in part]) for part in (line.clean, line.shifted))
    value = shifted.value - float(_expected(np.array(clean.value), x, y, n))
    reason = f"line through {len(x)} models of {line.contenders} contenders trained from scratch"
    if line.lost:
        reason += f" ({line.lost} more have no number)"
    if not x.min() <= clean.value <= x.max():
        reason += "; clean accuracy lies outside theirs"
    draws = _draws(clean, shifted, line, n)
    return Reading(value, draws, shifted.n, shifted.status, reason, shifted.evidence, shifted.units)


def _draws(clean: Reading, shifted: Reading, line: Line, n: int) -> np.ndarray | None:
    held = [r.draws for r in (clean, shifted, *line.clean, *line.shifted) if r.draws is not None]
    if len(held) < 2 + 2 * len(line.clean):
        return None
    size = min(map(len, held))
    stack = np.stack([d[:size] for d in held])
    count = len(line.clean)
    found = stack[1] - _expected(stack[0], stack[2 : 2 + count].T, stack[2 + count :].T, n)
    return np.asarray(found)


def _expected(at: np.ndarray, x: np.ndarray, y: np.ndarray, n: int) -> np.ndarray:
    """beta(at): at (...), x and y (..., points). NaN where x has no spread."""
    u, v = _logit(x, n), _logit(y, n)
    across = u - u.mean(axis=-1, keepdims=True)
    spread = (across**2).sum(axis=-1)
    slope = np.divide((across * v).sum(axis=-1), spread, out=np.full(spread.shape, np.nan), where=spread > FLAT)
    return np.asarray(expit(v.mean(axis=-1) + slope * (_logit(at, n) - u.mean(axis=-1))))


def _logit(share: np.ndarray, n: int) -> np.ndarray:
    inside = np.clip(share, 0.5 / n, 1 - 0.5 / n)
    return np.asarray(np.log(inside) - np.log1p(-inside))
