"""Every number that the plan promises, and why it is not there where it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kdbench.judge import clean_only, features, requires
from kdbench.judge.axes import applies, convention, metric_id
from kdbench.judge.measurements import KINDS
from kdbench.judge.rows import OVER_SEEDS
from kdbench.nouns import Cell, Job, Plan, Suite, Use
from kdbench.registry import Plugins
from kdbench.signature import Description
from kdbench.store import Store

PLACE = ("task", "contender", "target", "metric", "shift", "severity", "slice")


class Reasons:
    """Why a cell brought nothing."""

    def __init__(self, plan: Plan, judging: Sequence[Job], store: Store) -> None:
        self._jobs = {job.key: job for job in (*plan.jobs, *judging)}
        self._store = store

    def of(self, cell: Cell, judged: Job | None) -> tuple[str, str]:
        """(status, reason) of a number that is not on the board though this cell was planned."""
        if cell.reason:
            said = {"not available": "skipped", "no meter": "undefined"}
            return next((s for head, s in said.items() if cell.reason.startswith(head)), "not applicable"), cell.reason
        reason = self._upstream(cell.key, set())
        if reason:
            return "failed", reason
        if cell.key and not self._store.has(cell.key):
            return "skipped", "was not run"
        if judged is None:
            return "skipped", "was not judged"
        reason = self._store.failure(judged.key)
        return ("failed", f"judge: {reason}") if reason else ("skipped", "what this number also needs is not there")

    def _upstream(self, key: str, seen: set[str]) -> str:
        """The failure of this job, or of the first one that it waits for."""
        job = self._jobs.get(key)
        if job is None or key in seen or self._store.has(key):
            return ""
        seen.add(key)
        before = [*job.needs.values(), *(k for keys in job.uses.values() for k in keys[:1])]
        for needed in before:
            reason = self._upstream(needed, seen)
            if reason:
                return reason
        reason = self._store.failure(key)
        return f"{job.stage}: {reason}" if reason else ""


def missing(
    suite: Suite, plan: Plan, judging: Sequence[Job], present: set[tuple[Any, ...]], plugins: Plugins, store: Store
) -> Iterator[dict[str, Any]]:
    """A row with a status for every planned number that has none: per seed, and over seeds where no seed has one.

    present: (task, contender, target, metric, shift, severity, slice, seed) of the rows of all examples, and of scenarios.
    """
    reasons = Reasons(plan, judging, store)
    judged = {(job.spec["task"], canonical_use(job.spec["metric"])): job for job in judging}
    for task in suite.tasks:
        cells = [cell for cell in plan.cells if cell.task == task.name]
        for use in suite.axes:
            about = plugins.get("metric", use.name)
            if not applies(about, task, plugins):
                continue
            job = judged.get((task.name, canonical_use({"name": use.name, "params": dict(use.params)})))
            places: dict[tuple[Any, ...], tuple[str, str]] = {}
            for cell, shift in _cells(about, cells):
                place: tuple[Any, ...] = (task.name, cell.contender, cell.target, metric_id(about, use.params), shift)
                place = (*place, cell.severity, cell.scenario)
                if (*place, OVER_SEEDS if about.facts.get("form") == "seeds" else cell.seed) in present:
                    continue
                status, reason = _nothing_foreign(shift) or reasons.of(cell, job)
                places.setdefault(place, (status, reason))
                if about.facts.get("form") != "seeds":  # that has one number for all seeds
                    yield _row(place, cell.seed, (status, reason), about, use)
            for place, why in places.items():
                if (*place, OVER_SEEDS) not in present:
                    yield _row(place, OVER_SEEDS, why, about, use)


def canonical_use(value: Any) -> tuple[str, str]:
    """A metric and its parameters as something to look up by."""
    return str(value["name"]), repr(sorted(dict(value["params"]).items()))


def _cells(about: Description, cells: Sequence[Cell]) -> Iterator[tuple[Cell, str]]:
    """The cells that should each give a number of this metric, and the shift under which the board shows it."""
    wanted = requires(about)
    kind = next((k for k in KINDS if k in wanted), "")
    if kind:
        yield from ((cell, "") for cell in cells if cell.evidence == kind)
        return
    if wanted & features.BESIDE.keys():
        yield from features.cells(wanted, cells)
        return
    tests = [cell for cell in cells if cell.evidence == "predictions" and cell.split == "test"]
    foreign = [cell for cell in tests if cell.shift.startswith("ood:")]
    if "ood" not in wanted:
        shifts = not clean_only(about)
        yield from ((cell, cell.shift) for cell in tests if not cell.shift or (shifts and not cell.shift.startswith("ood:")))
    elif foreign:
        yield from ((cell, cell.shift) for cell in foreign)
    else:
        yield from ((cell, "ood:*") for cell in tests if not cell.shift)


def _nothing_foreign(shift: str) -> tuple[str, str] | None:
    return ("not applicable", "the suite names no set from outside the distribution") if shift == "ood:*" else None


def _row(place: tuple[Any, ...], seed: int, why: tuple[str, str], about: Description, use: Use) -> dict[str, Any]:
    facts: Mapping[str, Any] = about.facts
    shifted = bool(place[4]) and not str(place[4]).startswith("ood:")
    return {
        **dict(zip(PLACE, place, strict=True)),
        "seed": seed,
        "axis": "robustness" if shifted else facts.get("axis", "quality"),
        "title": facts.get("title") or use.name,
        "convention": convention(about, use.params),
        "version": int(facts.get("version") or 1),
        "split": "test" if not any(k in requires(about) for k in KINDS) else "",
        "unit": facts.get("unit", "fraction"),
        "better": facts["better"],
        "status": why[0],
        "reason": why[1],
        "evidence": "",
    }
