"""The jobs that bring evidence, and the cells of the board that wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kdbench.nouns import Cell, Data, Job, Params, Plan, Suite, Task, Use, labelled, plain
from kdbench.plan import features, keys
from kdbench.plan.chains import Chains, Made, distinct_seeds
from kdbench.plan.measuring import Measuring, Seat
from kdbench.registry import Plugins
from kdbench.signature import Description
from kdbench.stages import available


@dataclass(frozen=True, slots=True)
class Set:
    """A set of examples to predict: the key of its samples, and what was done to them."""

    samples: str
    split: str
    shift: str = ""
    severity: int = 0


def plan(suite: Suite, plugins: Plugins, data: Path | None = None) -> Plan:
    """All jobs in an order in which they can run, and all cells, for every task. Refuses files that are not there."""
    jobs: dict[str, Job] = {}
    cells: list[Cell] = []
    for task in suite.tasks:
        planner = _TaskPlan(suite, task, plugins, data)
        cells += planner.cells()
        jobs |= planner.jobs
    return Plan(tuple(jobs.values()), tuple(cells))


class _TaskPlan:
    """The plan of one task: samples first, then artefacts, then what is measured on them."""

    def __init__(self, suite: Suite, task: Task, plugins: Plugins, root: Path | None) -> None:
        self._suite, self._task, self._plugins, self._root = suite, task, plugins, root
        self.jobs: dict[str, Job] = {}
        self._data = self._add(self._samples(task.data.dataset, task.data)).key
        self._sets = tuple(self._all_sets())
        self._chains = Chains(task, self._data, suite.seeds[0], plugins)
        self._teacher = self._chains.artefact(task.teacher, suite.seeds[0])
        kind = str(plugins.get("dataset", task.data.dataset.name).facts.get("kind", ""))
        self._measuring = Measuring(suite.measure, task.name, self._data, kind, self._teacher)
        self._features = features.sets(suite, plugins)

    def cells(self) -> list[Cell]:
        """Every cell of the task; makes the jobs on the way."""
        seats = [
            (contender, seed, made)
            for contender in self._task.rows()
            for seed, made in distinct_seeds(self._chains, contender, self._suite.seeds)
        ]
        self.jobs |= self._chains.jobs
        alike: dict[str, list[str]] = {}
        for _, _, made in seats:
            alike.setdefault(made.graph, []).append(made.key)
        cells: list[Cell] = []
        for label, use in labelled(self._suite.targets).items():
            target = self._plugins.get("target", use.name)
            for contender, seed, made in seats:
                seat = Cell(self._task.name, contender.name, seed, label, "")
                cells += self._seat(seat, made, use, target, tuple(dict.fromkeys(alike[made.graph])))
        return cells

    def _seat(self, seat: Cell, made: Made, use: Use, target: Description, alike: tuple[str, ...]) -> Iterator[Cell]:
        yield replace(seat, evidence="size", key=self._size(made, seat).key)
        yield replace(seat, evidence="cost", key=made.key)
        why = _cannot(made.runtime, target, use.params)
        together = f"{made.key}/{seat.target}"
        for one in self._sets:
            cell = replace(seat, evidence="predictions", split=one.split, shift=one.shift, severity=one.severity)
            key = "" if why else self._predict(made, use, target, one, together).key
            yield replace(cell, key=key, reason=why)
        yield from self._taps(seat, made, target)
        yield self._parity(replace(seat, evidence="parity"), made, use, target, together)
        measured = Seat(seat, made, use, target, alike, why, _cannot(self._teacher.runtime, target, use.params))
        for cell, job in self._measuring.cells(measured):
            if job is not None:
                self._add(job)
            yield cell

    def _samples(self, use: Use, data: Data) -> Job:
        plugin = self._plugins.get("dataset", use.name)
        spec: Params = {
            "dataset": plain(use),
            "limit": dict(data.limit),
            "validation": data.validation,
            "allow_leak": data.allow_leak,
            "seed": 0,
        }
        content = keys.files(plugin, use.params, self._root)
        return Job("data", spec, {}, keys.code("data", plugin), content, keys.runtime("data"), label=f"data {use.name}")

    def _all_sets(self) -> Iterator[Set]:
        data = self._task.data
        yield Set(self._data, "test")
        yield Set(self._data, "validation")
        for one in data.shifts:
            plugin = self._plugins.get("shift", one.shift.name)
            for severity in one.severities:
                spec = {"shift": plain(one.shift), "severity": severity}
                label = f"{self._task.name}: shift {one.shift.name} {severity}"
                job = Job("shift", spec, {"data": self._data}, keys.code("shift", plugin), "", keys.runtime("shift"), label=label)
                yield Set(self._add(job).key, "test", one.shift.name, severity)
        for use in data.ood:
            limit = {k: v for k, v in data.limit.items() if k == "test"}
            other = self._add(self._samples(use, Data(use, limit=limit, allow_leak=10**9)))
            needs = {"data": self._data, "other": other.key}
            job = Job("ood", {}, needs, keys.code("ood"), "", keys.runtime("ood"), label=f"{self._task.name}: ood {use.name}")
            yield Set(self._add(job).key, "test", f"ood:{use.name}")

    def _size(self, made: Made, seat: Cell) -> Job:
        needs = {"data": self._data, "artefact": made.key}
        label = f"{self._task.name}: size {seat.contender}, seed {seat.seed}"
        runtime = keys.runtime("size", made.runtime)
        return self._add(Job("size", {}, needs, keys.code("size"), "", runtime, together=made.key, label=label))

    def _predict(self, made: Made, use: Use, target: Description, one: Set, together: str) -> Job:
        spec = {"target": plain(use), "split": one.split}
        needs = {"data": one.samples, "artefact": made.key}
        where = " ".join(filter(None, (one.shift or one.split, str(one.severity or ""))))
        label = f"{self._task.name}: predict {made.key[:8]} on {use.name}, {where}"
        code, runtime = keys.code("predict", target), keys.runtime("predict", made.runtime, _needs(target))
        return self._add(Job("predict", spec, needs, code, "", runtime, together=together, label=label))

    def _taps(self, seat: Cell, made: Made, target: Description) -> Iterator[Cell]:
        """Features of the sets of which some metric reads them; of shifted sets none does."""
        if not self._features:
            return
        contender = next(c for c in self._task.rows() if c.name == seat.contender)
        why = features.without(made.runtime, target, features.model_of(self._task, contender), self._plugins)
        why = why or _cannot(made.runtime, target, {})
        for one in self._sets:
            if ("ood" if one.shift else one.split) in self._features and not one.severity:
                cell = replace(seat, evidence="features", split=one.split, shift=one.shift, reason=why)
                yield cell if why else replace(cell, key=self._tapped(made, one, seat).key)

    def _tapped(self, made: Made, one: Set, seat: Cell) -> Job:
        needs = {"data": one.samples, "artefact": made.key}
        label = f"{self._task.name}: features {seat.contender}, seed {seat.seed}, {one.shift or one.split}"
        code, runtime, together = keys.code("features"), keys.runtime("features", made.runtime), f"{made.key}/features"
        return self._add(Job("features", {"split": one.split}, needs, code, "", runtime, together=together, label=label))

    def _parity(self, cell: Cell, made: Made, use: Use, target: Description, together: str) -> Cell:
        why = _cannot(made.runtime, target, use.params)
        if not why and target.facts.get("reference", False):
            why = "this target runs the artefact as it is: nothing was exported"
        if not why and made.runtime != "torch":
            why = f"{made.runtime} artefacts have no eager twin to compare with"
        if why:
            return replace(cell, reason=why)
        needs = {"data": self._data, "artefact": made.key}
        label = f"{self._task.name}: parity {made.key[:8]} on {use.name}"
        code, runtime = keys.code("parity", target), keys.runtime("parity", made.runtime, _needs(target))
        job = Job("parity", {"target": plain(use)}, needs, code, "", runtime, together=together, label=label)
        return replace(cell, key=self._add(job).key)

    def _add(self, job: Job) -> Job:
        return self.jobs.setdefault(job.key, job)


def _needs(target: Description) -> tuple[str, ...]:
    return tuple(target.facts.get("needs", ()))


def _cannot(runtime: str, target: Description, params: Params) -> str:
    """Why an artefact cannot run on a target; "" if it can."""
    missing = available.lacks(target, params)
    if missing:
        return f"not available on this machine: {missing}"
    if runtime not in target.facts["accepts"]:
        return f"{target.name} runs {' and '.join(target.facts['accepts'])} artefacts; this one is {runtime}"
    return ""
