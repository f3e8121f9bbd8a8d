"""Who stands where: every pair compared on the primary metric, tie groups for ranks, and each contender against the teacher."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from kdbench.judge.seeds import LEVEL, half_width, p_value

ALPHA = 1 - LEVEL
BEATS, WORSE, INCONCLUSIVE = "BEATS", "WORSE", "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Line:
    """The replicates of one contender on one target: values (S,) by seed (NaN: none), draws (B,), units resampled."""

    contender: str
    values: np.ndarray
    draws: np.ndarray
    units: int


def lines(replicates: Mapping[str, np.ndarray], target: str) -> list[Line]:
    """The contenders of one target in a replicates file."""
    rows = np.flatnonzero(replicates["target"] == target)
    held = (replicates["contender"], replicates["values"], replicates["draws"], replicates["units"])
    return [Line(str(held[0][i]), held[1][i], held[2][i], int(held[3][i])) for i in rows]


def compare(a: Line, b: Line) -> dict[str, Any]:
    """Compare a with b: a - b, the difference of the means over seeds with its 95 % t interval and two-sided p.

    Variance = bootstrap variance of the paired difference over examples + variance over seeds: of the paired differences
    where both have the same seeds (same initial weights, same batches), else of each side by itself. One seed adds none.
    """
    ours, theirs = np.isfinite(a.values), np.isfinite(b.values)
    delta = float(a.values[ours].mean() - b.values[theirs].mean())
    parts: list[tuple[float, int]] = []
    if len(a.draws) == len(b.draws) > 1:
        spread = a.draws - b.draws
        parts.append((float(np.nanvar(spread, ddof=1)), max(min(a.units, b.units) - 1, 1)))
    if ours.sum() > 1 and np.array_equal(ours, theirs):
        parts.append(_of_seeds(a.values[ours] - b.values[theirs]))
    else:
        parts += [_of_seeds(v) for v in (a.values[ours], b.values[theirs]) if len(v) > 1]
    half, p = half_width(parts), p_value(delta, parts)
    return {"a": a.contender, "b": b.contender, "delta": delta, "low": delta - half, "high": delta + half, "p": p}


def _of_seeds(values: np.ndarray) -> tuple[float, int]:
    return float(values.var(ddof=1)) / len(values), len(values) - 1


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (1979), in the order given."""
    adjusted, running = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        running = max(running, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = running
    return adjusted


def pairs(held: Sequence[Line], better: str) -> list[dict[str, Any]]:
    """Every pair of one table, Holm-corrected over it. verdict: what a does to b."""
    found = [compare(a, b) for a, b in combinations(held, 2)]
    sign = 1 if better == "higher" else -1
    for pair, p in zip(found, holm([pair["p"] for pair in found]), strict=True):
        sure = p < ALPHA
        pair |= {"p_holm": p, "verdict": INCONCLUSIVE if not sure else BEATS if sign * pair["delta"] > 0 else WORSE}
    return found


def ranks(names: Sequence[str], found: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """The best and the worst rank of each name: 1 + those who surely beat it, and all but those whom it surely beats."""
    beaten = {name: {"by": 0, "under": 0} for name in names}
    for pair in found:
        if pair["a"] in beaten and pair["b"] in beaten and pair["verdict"] != INCONCLUSIVE:
            winner, loser = (pair["a"], pair["b"]) if pair["verdict"] == BEATS else (pair["b"], pair["a"])
            beaten[winner]["under"] += 1
            beaten[loser]["by"] += 1
    return {name: (1 + b["by"], len(names) - b["under"]) for name, b in beaten.items()}


def standing(
    row: Mapping[str, Any], line: Line | None, rank: tuple[int, int], against: Mapping[str, Any] | None
) -> dict[str, Any]:
    """One line of the standings. row: the score over seeds; against: the pair with the teacher (a is the teacher, or b is)."""
    keep = (
        "task",
        "target",
        "contender",
        "metric",
        "title",
        "unit",
        "better",
        "value",
        "low",
        "high",
        "delta",
        "delta_low",
        "delta_high",
    )
    complete = row["status"] in ("ok", "noisy") and line is not None
    seeds = 0 if line is None else int(np.isfinite(line.values).sum())
    verdict, p = ("reference", math.nan) if row["contender"] == "teacher" else ("no result", math.nan)
    if complete and against is not None:
        turned = {BEATS: WORSE, WORSE: BEATS, INCONCLUSIVE: INCONCLUSIVE}
        verdict = against["verdict"] if against["a"] == row["contender"] else turned[against["verdict"]]
        p = against["p_holm"]
    elif complete and verdict == "no result":
        verdict = INCONCLUSIVE
    return {
        **{k: row[k] for k in keep},
        "rank_low": rank[0] if complete else 0,
        "rank_high": rank[1] if complete else 0,
        "p_holm": p,
        "verdict": verdict,
        "scope": "method: examples and seeds vary" if seeds > 1 else "checkpoint: examples vary",
        "seeds": seeds,
        "complete": complete,
        "status": row["status"],
        "reason": row["reason"],
    }
