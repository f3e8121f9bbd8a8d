"""Slice discovery: the ranges, levels or words of the inputs where a contender loses most against the teacher.

One half of the test examples is searched, the other half judges what was found. So the numbers are not those of the luckiest of
many slices, which is what a search reports that judges on the examples it searched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kdbench.judge.discovery.columns import columns
from kdbench.judge.discovery.estimate import estimate
from kdbench.judge.discovery.halves import halves
from kdbench.judge.discovery.inputs import inputs
from kdbench.judge.discovery.search import Ground, search
from kdbench.judge.evidence import Examples
from kdbench.judge.readings import Readings
from kdbench.store import Entry

COLUMNS = (
    "task", "target", "contender", "slice", "n", "value", "teacher", "delta", "delta_low", "delta_high", "p_holm", "rest",
    "p_more", "found_on",
)  # fmt: skip
"""Columns of the table. n, value, teacher, delta: accuracy on the judging half, inside the slice; p_holm: of delta = 0, over the
slices kept for this contender; rest: delta outside the slice; p_more: of delta = rest, Holm too; found_on: the searched half."""

SEED = 0
Seats = Mapping[tuple[str, str], Mapping[int, np.ndarray]]
"""(contender, target) -> seed -> right or wrong, bool (n,), of the test examples in their order. The teacher is among them."""


def discoveries(data: Entry, about: Examples, seats: Seats, task: str, min_group: int) -> Iterator[dict[str, Any]]:
    """Rows with COLUMNS for every contender and target, from the samples entry of the task; none where it holds no inputs."""
    features = inputs(data, about, min_group)
    if not features:
        return
    ground = prepare(features, about.ids if about.cluster is None else about.cluster, min_group, SEED)
    for (contender, target), ours in seats.items():
        teachers = seats.get(("teacher", target))
        if contender == "teacher" or not teachers or not ours:
            continue
        first = min(teachers)
        beside = np.stack([teachers.get(seed, teachers[first]) for seed in sorted(ours)])
        found = find(ground, np.stack([ours[seed] for seed in sorted(ours)]), beside)
        yield from ({"task": task, "target": target, "contender": contender, **row} for row in found)


def seats_of(readings: Readings, n: int) -> dict[tuple[str, str], dict[int, np.ndarray]]:
    """The seats of `discoveries` from the readings of a rate: who was right on which of the n clean test examples."""
    seats: dict[tuple[str, str], dict[int, np.ndarray]] = {}
    for spot, reading in readings.items():
        if not spot.shift and not spot.slice and reading.known and reading.hits is not None and reading.hits.size:
            right = np.unpackbits(reading.hits, count=n).astype(bool)
            seats.setdefault((spot.contender, spot.target), {})[spot.seed] = right
    return seats


def discover(
    features: Mapping[str, np.ndarray], ours: np.ndarray, teachers: np.ndarray, units: np.ndarray, min_group: int, seed: int
) -> list[dict[str, Any]]:
    """At most ten slices with their numbers (COLUMNS without task, target and contender), the largest loss first.

    features: name -> (n,) numbers, text (levels), or bool (whether a word is there); ours bool (S, n), one row a seed; teachers
    bool (S or 1, n); units (n,): ids, or the cluster of each example: what is drawn as one, and lies in one half.
    """
    return find(prepare(features, units, min_group, seed), ours, teachers)


def prepare(features: Mapping[str, np.ndarray], units: np.ndarray, min_group: int, seed: int) -> Ground:
    """All that does not depend on the contender: the two halves, and the candidate slices."""
    first, cluster = halves(units, seed)
    return Ground(tuple(columns(features)), first, cluster, max(2, min_group))


def find(ground: Ground, ours: np.ndarray, teachers: np.ndarray) -> list[dict[str, Any]]:
    """Search one half, judge on the other."""
    pairs = ours.astype(np.float64) - teachers
    kept, searched = search(ground, pairs.mean(axis=0))
    if not kept:
        return []
    found_on = f"{int(ground.first.sum())} other test examples, {searched} slices searched"
    rows = estimate(kept, np.broadcast_to(ours, pairs.shape), np.broadcast_to(teachers, pairs.shape), ground)
    return [{**row, "found_on": found_on} for row in rows]
