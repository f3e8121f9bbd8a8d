"""Readings as rows of the table of scores: per seed and over seeds, beside the teacher's and the paired difference to it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kdbench.judge.ask import Metric
from kdbench.judge.measurements import BESIDE
from kdbench.judge.readings import Reading, Readings, Spot, difference
from kdbench.judge.seeds import Estimate, checkpoint, over

OVER_SEEDS = -1
COLUMNS = (
    "suite", "task", "contender", "seed", "target", "axis", "metric", "title", "convention", "version", "split", "shift",
    "severity", "slice", "value", "low", "high", "n", "unit", "better", "status", "reason", "teacher", "delta", "delta_low",
    "delta_high", "evidence",
)  # fmt: skip
"""The columns of the table of scores, in their order."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a table of rows is about: the metric as the board shows it. compared: whether the teacher's number beside it has a
    meaning (it has none for times, which come from different runs, nor for what is already relative to the teacher).
    """

    task: str
    metric: str
    facts: Mapping[str, Any]
    compared: bool = True
    range: tuple[float | None, float | None] = field(default=(None, None))


def subject(metric: Metric, task: str) -> Subject:
    """The subject of a metric itself."""
    compared = not metric.asks & {"latency", "teacher", "teacher_features", "teacher_validation", *BESIDE}
    return Subject(task, metric.id, metric.facts, compared, (metric.facts.get("low"), metric.facts.get("high")))


def rows(readings: Readings, about: Subject) -> Iterator[dict[str, Any]]:
    """For each place on the board one row per seed, then one over the seeds (seed -1)."""
    teachers: dict[Spot, dict[int, Reading]] = {}
    for spot, reading in readings.items():
        if spot.contender == "teacher":
            teachers.setdefault(replace(spot, seed=OVER_SEEDS), {})[spot.seed] = reading
    places: dict[Spot, dict[int, Reading]] = {}
    for spot, reading in readings.items():
        places.setdefault(replace(spot, seed=OVER_SEEDS), {})[spot.seed] = reading
    for place, of_seeds in places.items():
        references = teachers.get(replace(place, contender="teacher"), {})
        beside = {s: references.get(s) or references[min(references)] for s in of_seeds} if references else {}
        for seed, reading in sorted(of_seeds.items()):
            if seed != OVER_SEEDS:  # else a number about all seeds at once
                yield _row(replace(place, seed=seed), {seed: reading}, beside, about)
        more = _widened(dict(sorted(of_seeds.items())), references)
        yield _row(place, more, {**beside, **references} if beside else {}, about)


def _widened(of_seeds: dict[int, Reading], references: Mapping[int, Reading]) -> dict[int, Reading]:
    """One artefact beside teachers of more seeds than its own stands against all of them, as it does in the pairs."""
    first, *others = of_seeds.values()
    alone = bool(first.known and first.evidence) and all(r.evidence == first.evidence for r in others)
    return dict.fromkeys(sorted({*of_seeds, *references}), first) if alone and OVER_SEEDS not in of_seeds else of_seeds


def _row(spot: Spot, of_seeds: Mapping[int, Reading], beside: Mapping[int, Reading], about: Subject) -> dict[str, Any]:
    readings = list(of_seeds.values())
    teachers = [beside[seed] for seed in of_seeds] if beside and _kind(spot) != "harm" else []  # that is a difference already
    known = [r for r in readings if r.known]
    value = over(readings) if spot.seed == OVER_SEEDS else (checkpoint(readings[0]) if known else Estimate(math.nan))
    low, high = _range(spot, about)
    reference = over(teachers) if teachers and about.compared else Estimate(math.nan)
    delta = Estimate(math.nan)
    if spot.contender != "teacher" and about.compared and teachers:
        pairs = [_pair(r, t) for r, t in zip(readings, teachers, strict=True)]
        delta = over(pairs) if spot.seed == OVER_SEEDS else checkpoint(pairs[0])
    if about.facts.get("form") == "frame":  # nothing was resampled: the seeds alone would make an interval that is too short
        value, delta = (replace(found, low=math.nan, high=math.nan) for found in (value, delta))
    measured = about.facts.get("form") == "measured"  # says nothing about examples
    status, reason = _status(spot, readings, 0 if measured or OVER_SEEDS in of_seeds else value.seeds)
    keys = {r.evidence for r in readings}
    return {
        "task": about.task,
        "contender": spot.contender,
        "seed": spot.seed,
        "target": spot.target,
        "axis": _axis(spot, about),
        "metric": about.metric,
        "title": about.facts["title"],
        "convention": _convention(spot, str(about.facts["convention"])),
        "version": int(about.facts.get("version") or 1),
        "split": spot.split,
        "shift": spot.shift,
        "severity": spot.severity,
        "slice": spot.slice,
        "value": value.value,
        "low": _clip(value.low, low, high),
        "high": _clip(value.high, low, high),
        "n": (known or list(readings))[0].n,
        "unit": str(about.facts["unit"]),
        "better": _BETTER.get(_kind(spot), str(about.facts["better"])),
        "status": status,
        "reason": reason,
        "teacher": reference.value,
        "delta": delta.value,
        "delta_low": delta.low,
        "delta_high": delta.high,
        "evidence": keys.pop() if len(keys) == 1 else "",
    }


def _pair(of: Reading, teacher: Reading) -> Reading:
    """Their difference, told apart from others by both sides: one artefact beside three teachers makes three observations."""
    found = difference(of, teacher)
    return replace(found, evidence=f"{of.evidence} {teacher.evidence}") if of.evidence and teacher.evidence else found


def _status(spot: Spot, readings: Sequence[Reading], checkpoints: int) -> tuple[str, str]:
    """The worst of the seeds; over seeds also what the interval is about (checkpoints: 0 where that is no set of examples)."""
    first = next((r for r in readings if not r.known), None)
    known = [r for r in readings if r.known]
    if first is not None and not known:
        return first.status, first.reason
    if first is not None:
        return "partial", f"{len(known)} of {len(readings)} seeds: {first.reason}"
    if len(readings) == 1 and readings[0].status == "partial":
        return "partial", readings[0].reason
    doubt = next((r for r in readings if r.status == "noisy"), None)
    said = [readings[0].reason if doubt is None else doubt.reason]
    if spot.seed == OVER_SEEDS:
        seeds = {0: "", 1: "1 seed: checkpoint, examples vary"}.get(checkpoints, f"{checkpoints} seeds")
        said = [seeds, *(said if spot.slice or doubt or len({r.reason for r in known}) == 1 else [])]
    return ("noisy" if doubt else "ok"), "; ".join(filter(None, said))


def _axis(spot: Spot, about: Subject) -> str:
    if spot.slice and about.facts.get("form") != "measured":  # there it is a scenario, not a group
        return "bias"
    return "robustness" if spot.shift and not spot.shift.startswith("ood:") else str(about.facts["axis"])


_BETTER = {"gap": "lower", "harm": "lower", "ratio": "higher", "lift": "none"}
_SAID = {
    "gap": "largest minus smallest over the groups, so never below 0; interval by inversion, so that it holds at 0 too",
    "ratio": "smallest over largest of the groups, so never above 1",
    "worst": "the worst of the groups",
    "harm": "what this group lost against the teacher beyond what all lost; positive: harmed",
    "lift": "value of the group over value of all; above 1: over-represented",
}
"""What the summaries of groups mean, by the word after the colon of the slice."""


def _kind(spot: Spot) -> str:
    kind = spot.slice.rpartition(":")[2] if ":" in spot.slice else ""
    return kind if kind in _SAID else ""


def _convention(spot: Spot, convention: str) -> str:
    kind = _kind(spot)
    return f"{convention}; {_SAID[kind]}" if kind else convention


_RANGES: dict[str, tuple[float | None, float | None]] = {
    "gap": (0.0, None),
    "ratio": (0.0, 1.0),
    "harm": (None, None),
    "lift": (0.0, None),
}


def _range(spot: Spot, about: Subject) -> tuple[float | None, float | None]:
    low, high = about.range
    if _kind(spot) == "gap" and low is not None and high is not None:  # no two groups are farther apart than the ends
        return 0.0, high - low
    return _RANGES.get(_kind(spot), about.range)


def _clip(bound: float, low: float | None, high: float | None) -> float:
    if math.isnan(bound):
        return bound
    bound = bound if low is None else max(bound, low)
    return bound if high is None else min(bound, high)
