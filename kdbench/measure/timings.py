"""The timings of a run as other tools want them: one record for each contender, target and scenario, raw samples in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kdbench.judge.evidence import measured
from kdbench.nouns import Cell, Plan, Suite
from kdbench.report.words import clean
from kdbench.store import Entry, Missing, Store

KEPT = (
    "batch", "length", "threads", "pairs", "asked_pairs", "calls", "discard", "inner", "order", "null", "late", "governor",
    "load_before", "load_after", "involuntary_switches", "python",
)  # fmt: skip
"""What is passed on of how a timing was taken: nothing of the machine but what `host` says."""


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """One timed model. seconds, reference: (pairs, calls), per call, wall clock, of the model and of the teacher beside it in
    turns; how: the settings and the load; ran: provider, precision, versions; host: the machine, without a name of it or of its
    user; broken: the honesty checks that failed, "" for none.
    """

    task: str
    contender: str
    seed: int
    target: str
    scenario: str
    seconds: np.ndarray
    reference: np.ndarray
    how: Mapping[str, Any] = field(default_factory=dict)
    ran: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)
    broken: str = ""

    @property
    def place(self) -> dict[str, str]:
        """Task, target and scenario, as text without control characters; the scenario "" is a single stream."""
        return {"task": clean(self.task), "target": clean(self.target), "scenario": clean(self.scenario) or "single stream"}


def timings(suite: Suite, plan: Plan, store: Store) -> Iterator[Timing]:
    """Every stored timing of a run, in the order of the plan; seeds whose graphs are equal were timed once and are given once."""
    seen: set[tuple[str, ...]] = set()
    for cell in plan.cells:
        if cell.evidence != "latency" or not cell.key:
            continue
        place = (cell.task, cell.contender, cell.target, cell.scenario, cell.key)
        entry = None if place in seen else _open(store, cell)
        seen.add(place)
        if entry is not None:
            yield _timing(cell, measured(entry, "latency"))


def planned(plan: Plan) -> int:
    """How many timings there are when all is done."""
    cells = [cell for cell in plan.cells if cell.evidence == "latency" and cell.key]
    return len({(cell.task, cell.contender, cell.target, cell.scenario, cell.key) for cell in cells})


def _open(store: Store, cell: Cell) -> Entry | None:
    try:
        return store.open(cell.key)
    except Missing:
        return None


def _timing(cell: Cell, held: Mapping[str, Any]) -> Timing:
    checks = held.get("checks") or {}
    broken = "; ".join(str(check["text"]) for check in checks.values() if not check["passed"])
    how = {name: held[name] for name in KEPT if held.get(name) is not None}
    ran = dict(held.get("facts", {}).get("contender", {}))
    seconds, reference = (np.asarray(held[f"wall_{role}"], dtype=np.float64) for role in ("contender", "reference"))
    place = (cell.task, cell.contender, cell.seed, cell.target, cell.scenario)
    return Timing(*place, seconds, reference, how, ran, dict(held.get("host") or {}), broken)
