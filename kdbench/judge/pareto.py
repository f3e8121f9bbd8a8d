"""The Pareto front over two or more metrics: who is on it, how surely, and what the others would need to join.

A contender is on the front if no other is at least as good in every metric and better in one; equals share it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kdbench.judge.axes import Axis
from kdbench.judge.lines import Line
from kdbench.judge.resample import seed_of

COLUMNS = ("task", "target", "contender", "axes", "front", "p_front", "join", "values")
WORLDS = 1000
"""Replicates where no metric was resampled."""
FEWEST = 50
"""Replicates below this say nothing about a probability."""


def pareto(
    task: str, target: str, names: Sequence[str], held: Mapping[Axis, Mapping[str, Line]], out: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One row for each name. held: axis -> the lines of contenders with a whole result; out: why a contender is left out.

    front: at the observed values; p_front: share of joint replicates of all contenders and metrics in which it is on the front.
    join: for one that is not, the smallest improvement of each metric alone that would put it there. values: JSON, by metric.
    """
    axes = list(held)
    lost = {name: next((a.id for a in axes if name not in held[a]), "") for name in names}
    inside = [name for name in names if not lost[name] and name not in out]
    values = np.array([[_mean(held[a][name]) for a in axes] for name in inside]).reshape(len(inside), len(axes))
    sign = np.array([1.0 if a.better == "higher" else -1.0 for a in axes])
    on = undominated((values * sign)[None])[0]
    p = probability([[held[a][name] for a in axes] for name in inside], sign, seed_of(task, target, "front"))
    rows = []
    for name in names:
        head = {"task": task, "target": target, "contender": name, "axes": ", ".join(a.id for a in axes)}
        shown = {a.id: _mean(held[a][name]) if name in held[a] else None for a in axes}
        if name in inside:
            i = inside.index(name)
            said = "" if on[i] else _join(axes, values * sign, i)
            found = {"front": bool(on[i]), "p_front": float(p[i]), "join": said}
        else:
            found = {"front": False, "p_front": math.nan, "join": out.get(name) or f"no whole result in {lost[name]}"}
        rows.append({**head, **found, "values": json.dumps(shown)})
    return rows


def undominated(points: np.ndarray) -> np.ndarray:
    """Which of k points are on the front, in each of R worlds: points (R, k, axes), larger is better -> bool (R, k)."""
    found = np.ones(points.shape[:2], dtype=bool)
    for i in range(points.shape[1]):
        one = points[:, i : i + 1]
        over = np.logical_and((points >= one).all(axis=2), (points > one).any(axis=2))
        found[:, i] = ~over.any(axis=1)
    return found


def probability(lines: Sequence[Sequence[Line]], sign: np.ndarray, seed: int) -> np.ndarray:
    """P(on the front) of each contender (k,), from its lines by metric; sign (axes,): 1: higher is better, -1: lower."""
    if not lines:
        return np.empty(0)
    drawn = np.array([[np.isfinite(line.draws).sum() > 1 for line in of] for of in lines])
    if (drawn.any(axis=0) & ~drawn.all(axis=0)).any():  # a metric whose error is known for some only
        return np.full(len(lines), np.nan)
    worlds = replicates(lines, seed) * sign
    worlds = worlds[np.isfinite(worlds).all(axis=(1, 2))]
    return undominated(worlds).mean(axis=0) if len(worlds) >= FEWEST else np.full(len(lines), np.nan)


def replicates(lines: Sequence[Sequence[Line]], seed: int) -> np.ndarray:
    """Joint replicates (R, k, axes) of the means over seeds. Each mean is moved by two errors.

    - Its bootstrap draw less the mean of its draws: the same draw of examples for all contenders and metrics.
    - A t variate for its seeds, s / sqrt(S) with S - 1 degrees of freedom, as in its interval: sum_s w_s (x_s - mean) /
      sqrt(S (S - 1)) over sqrt(chi2 / (S - 1)), the same normal w and chi2 for all that have the same seeds: pairs stay paired.

    What was neither resampled nor made with several seeds is a constant.
    """
    widths = [len(line.draws) for of in lines for line in of if np.isfinite(line.draws).sum() > 1]
    count = min(widths, default=WORLDS)
    rng = np.random.default_rng([seed, 1])
    masks = sorted({tuple(np.isfinite(line.values)) for of in lines for line in of})
    luck = {mask: _luck(rng, mask, count) for mask in masks}
    found = np.empty((count, len(lines), len(lines[0])))
    for i, of in enumerate(lines):
        for a, line in enumerate(of):
            found[:, i, a] = _mean(line) + _examples(line, count) + _seeds(line, luck)
    return found


def _examples(line: Line, count: int) -> np.ndarray | float:
    draws = line.draws[:count]
    known = draws[np.isfinite(draws)]
    return draws - known.mean() if np.isfinite(line.draws).sum() > 1 and len(known) else 0.0


def _luck(rng: np.random.Generator, mask: tuple[bool, ...], count: int) -> np.ndarray:
    """What the seeds of a mask are multiplied by (count, seeds there)."""
    seeds = sum(mask)
    if seeds < 2:
        return np.zeros((count, seeds))
    w = rng.standard_normal((count, seeds)) / math.sqrt(seeds * (seeds - 1))
    return np.asarray(w / np.sqrt(rng.chisquare(seeds - 1, (count, 1)) / (seeds - 1)))


def _seeds(line: Line, luck: Mapping[tuple[bool, ...], np.ndarray]) -> np.ndarray:
    there = np.isfinite(line.values)
    values = line.values[there]
    return np.asarray(luck[tuple(there)] @ (values - values.mean()))


def _mean(line: Line) -> float:
    return float(line.values[np.isfinite(line.values)].mean())


def _join(axes: Sequence[Axis], points: np.ndarray, i: int) -> str:
    """In words, metric by metric: to reach (where the ones in the way are level elsewhere), or to pass, the best that is at least
    as good in all other metrics. points (k, axes), larger is better.
    """
    ways = []
    for a, axis in enumerate(axes):
        rest = np.delete(points, a, axis=1)
        ahead = (rest >= rest[i]).all(axis=1) & (np.arange(len(points)) != i)
        best = points[ahead, a].max()
        strict = ((points[:, a] == best) & ahead & (rest > rest[i]).any(axis=1)).any()
        goal = float(best if axis.better == "higher" else -best)
        edge = axis.high if axis.better == "higher" else axis.low
        if strict and edge is not None and goal == edge:
            continue  # nothing is better than the end of the range
        change = abs(float(best - points[i, a]))
        ways.append(
            f"{axis.id} {'above' if (axis.better == 'higher') else 'below'} {goal:.4g} (by {change:.3g})"
            if strict
            else f"{axis.id} of {goal:.4g} (by {change:.3g})"
        )
    return " or ".join(ways) if ways else "by no metric alone"
