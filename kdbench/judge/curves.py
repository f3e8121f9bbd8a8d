"""The diagrams that belong to numbers, as points: of each seed, and over the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from kdbench.judge.ask import Metric
from kdbench.judge.readings import Reading, Readings, Spot
from kdbench.judge.rows import OVER_SEEDS

CURVE_COLUMNS = (
    "task", "contender", "seed", "target", "metric", "curve", "split", "shift", "severity", "slice", "point", "low", "high",
    "x", "y", "n",
)  # fmt: skip
"""The columns of curves.parquet: one row a point; n: the examples behind it."""


def curves(metric: Metric, task: str, readings: Readings) -> list[dict[str, Any]]:
    """The diagrams of the clean set, per seed and over the seeds."""
    of_seats: dict[Spot, dict[int, Reading]] = {}
    for spot, reading in readings.items():
        if not spot.shift and not spot.slice and (reading.means is not None or reading.curve is not None):
            of_seats.setdefault(replace(spot, seed=OVER_SEEDS), {})[spot.seed] = reading
    table: list[dict[str, Any]] = []
    for seat, of_seeds in of_seats.items():
        drawn = {seed: _of_one(metric, reading) for seed, reading in sorted(of_seeds.items())}
        known = {seed: curve for seed, curve in drawn.items() if curve is not None}
        if not known:
            continue
        n = next(iter(of_seeds.values())).n or 0
        for seed, curve in {**known, OVER_SEEDS: _over(metric, list(of_seeds.values()), list(known.values()))}.items():
            table += _points({"task": task, "metric": metric.id, **asdict(replace(seat, seed=seed))}, curve, n)
    return table


def _of_one(metric: Metric, reading: Reading) -> Mapping[str, Any] | None:
    return metric.curve(reading.means) if reading.means is not None else reading.curve


def _over(metric: Metric, readings: list[Reading], drawn: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of sums: the diagram of their mean. Of sets: the mean height over the places of the first seed."""
    sums = [reading.means for reading in readings if reading.means is not None]
    if len(sums) == len(readings):
        found = metric.curve(np.mean(sums, axis=0))
        assert found is not None, "each of them has a diagram"
        return found
    x = np.asarray(drawn[0]["x"], dtype=np.float64)
    heights = [np.interp(x, np.asarray(one["x"]), np.asarray(one["y"])) for one in drawn]
    return {"name": drawn[0]["name"], "x": x, "y": np.mean(heights, axis=0)}


def _points(head: Mapping[str, Any], curve: Mapping[str, Any], n: int) -> list[dict[str, Any]]:
    found = []
    for i in range(len(curve["x"])):
        place = {k: float(curve[k][i]) for k in ("low", "high", "x", "y") if k in curve}
        behind = round(float(curve["share"][i]) * n) if "share" in curve else n
        found.append({**head, "curve": curve["name"], "point": i, **place, "n": behind})
    return found
