"""The jobs that bring evidence, and the cells of the board that wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from kdbench.nouns import Cell, Data, Job, Plan, Suite, Task, Use, labelled, plain
from kdbench.plan import features, keys
from kdbench.plan.beside import Beside
from kdbench.plan.chains import Chains, Made, distinct_seeds
from kdbench.plan.measuring import Measuring, Seat
from kdbench.plan.sets import NO_MODEL, NOT_RECORDED, RECORDED, Set, cannot, dataset, packages, predict, predicted
from kdbench.registry import Plugins
from kdbench.signature import Description

EXAMPLES = ("data", "shift", "ood", "probe", "questions")
"""Stages that bring examples; those that turn them into tokens come after them, with the models."""


def plan(suite: Suite, plugins: Plugins, data: Path | None = None) -> Plan:
    """All jobs in an order in which they can run, and all cells, for every task. Refuses files that are not there."""
    jobs: dict[str, dict[str, Job]] = {}
    cells: list[Cell] = []
    every: dict[str, Chains] = {}
    homes = {task.name: _TaskPlan(suite, task, plugins, data, every) for task in suite.tasks if not task.home}
    for task in suite.tasks:
        if task.home:
            home = homes[task.home]
            asked = Beside(suite, task, plugins, data)
            cells += asked.cells(home.samples, home.chains)
            jobs[task.home] |= asked.jobs
        else:
            cells += homes[task.name].cells()
            jobs[task.name] = homes[task.name].jobs
    ordered: dict[str, Job] = {}
    for name, made in jobs.items():  # what a model is asked beside its task is there in time, so that it is opened once for all
        ordered |= {k: v for k, v in made.items() if v.stage in EXAMPLES} | homes[name].chains.jobs | made
    return Plan(tuple(_needs_first(ordered).values()), tuple(cells))


def _needs_first(jobs: dict[str, Job]) -> dict[str, Job]:
    """The same jobs, each after all that it needs; none moves otherwise. A teacher's task may stand below its student's."""
    found: dict[str, Job] = {}

    def take(key: str) -> None:
        if key in jobs and key not in found:
            for need in jobs[key].needs.values():
                take(need)
            found[key] = jobs[key]

    for key in jobs:
        take(key)
    return found


class _TaskPlan:
    """The plan of one task: samples first, then artefacts, then what is measured on them. every: the chains of all tasks by name,
    to which it adds its own; some may be added later, so none is asked for before the cells are.
    """

    def __init__(self, suite: Suite, task: Task, plugins: Plugins, root: Path | None, every: dict[str, Chains]) -> None:
        self._suite, self._task, self._plugins, self._root = suite, task, plugins, root
        self.jobs: dict[str, Job] = {}
        self.samples = self._add(dataset(task.data.dataset, task.data, plugins, root)).key
        self._sets = tuple(self._all_sets())
        self.chains = every[task.name] = Chains(task, self.samples, suite.seeds[0], plugins, every)
        self._features = features.sets(suite, plugins)

    @cached_property
    def _teacher(self) -> Made:
        return self.chains.artefact(self._task.teacher, self._suite.seeds[0])

    @cached_property
    def _measuring(self) -> Measuring:
        about, read = self._plugins.about(self._task.data.dataset), self.chains.texts.tokens(self.samples, self._teacher.reads)
        return Measuring(self._suite.measure, self._task.name, about, (self._teacher, read))

    def cells(self) -> list[Cell]:
        """Every cell of the task; makes the jobs on the way."""
        seats = [
            (contender, seed, made)
            for contender in self._task.rows()
            for seed, made in distinct_seeds(self.chains, contender, self._suite.seeds)
        ]
        alike: dict[str, list[str]] = {}
        for _, _, made in seats:
            alike.setdefault(made.graph, []).append(made.key)
        cells: list[Cell] = []
        for label, use in labelled(self._suite.targets).items():
            target = self._plugins.get("target", use.name)
            for contender, seed, made in seats:
                seat = Cell(self._task.name, contender.name, seed, label, "")
                cells += self._seat(seat, made, use, target, tuple(dict.fromkeys(alike[made.graph])))
        made_first = dict(self.chains.jobs)  # texts become tokens on the way: of every set that is asked about
        self.jobs = {**{k: v for k, v in self.jobs.items() if v.stage in EXAMPLES}, **made_first, **self.jobs}
        return cells

    def _seat(self, seat: Cell, made: Made, use: Use, target: Description, alike: tuple[str, ...]) -> Iterator[Cell]:
        data = self.chains.texts.tokens(self.samples, made.reads)
        recorded = NO_MODEL if made.runtime == RECORDED else ""
        size = replace(seat, evidence="size", reason=recorded)
        yield size if recorded else replace(size, key=self._size(made, seat, data).key)
        yield replace(seat, evidence="cost", key=made.key)
        why = cannot(made.runtime, target, use.params)
        together = f"{made.key}/{seat.target}"
        for one in self._sets:
            cell = replace(seat, evidence="predictions", split=one.split, shift=one.shift, severity=one.severity)
            unknown = NOT_RECORDED if made.runtime == RECORDED and one.shift else ""
            key = "" if why or unknown else self._predict(made, use, one, together).key
            yield replace(cell, key=key, reason=why or unknown)
        yield from self._taps(seat, made, target)
        yield self._parity(replace(seat, evidence="parity"), made, use, target, data)
        why = why or recorded
        unpaired = NO_MODEL if self._teacher.runtime == RECORDED else cannot(self._teacher.runtime, target, use.params)
        for cell, job in self._measuring.cells(Seat(seat, made, use, target, alike, why, unpaired, data)):
            if job is not None:
                self._add(job)
            yield cell

    def _all_sets(self) -> Iterator[Set]:
        data = self._task.data
        yield Set(self.samples, "test")
        if self._plugins.about(data.dataset).get("answer", "class") not in ("next", "text"):
            yield Set(self.samples, "validation")  # for temperatures and thresholds, which what is said of tokens does not have
        for one in data.shifts:
            plugin = self._plugins.get("shift", one.shift.name)
            for severity in one.severities:
                spec = {"shift": plain(one.shift), "severity": severity}
                label = f"{self._task.name}: shift {one.shift.name} {severity}"
                needs = {"data": self.samples}
                job = Job("shift", spec, needs, keys.code("shift", plugin), "", keys.runtime("shift"), label=label)
                yield Set(self._add(job).key, "test", one.shift.name, severity)
        for use in data.ood:
            limit = {k: v for k, v in data.limit.items() if k == "test"}
            other = self._add(dataset(use, Data(use, limit=limit), self._plugins, self._root, "ood"))
            needs = {"data": self.samples, "other": other.key}
            job = Job("ood", {}, needs, keys.code("ood"), "", keys.runtime("ood"), label=f"{self._task.name}: ood {use.name}")
            yield Set(self._add(job).key, "test", f"ood:{use.name}")

    def _size(self, made: Made, seat: Cell, data: str) -> Job:
        needs = {"data": data, "artefact": made.key}
        label = f"{self._task.name}: size {seat.contender}, seed {seat.seed}"
        runtime = keys.runtime("size", made.runtime)
        return self._add(Job("size", {}, needs, keys.code("size"), "", runtime, together=made.key, label=label))

    def _predict(self, made: Made, use: Use, one: Set, together: str) -> Job:
        needs = predicted(self.chains, one.samples, made, self._teacher)
        where = " ".join(filter(None, (one.shift or one.split, str(one.severity or ""))))
        label = f"{self._task.name}: predict {made.key[:8]} on {use.name}, {where}"
        return self._add(predict(made, use, one.split, needs, (self._plugins, together, label)))

    def _taps(self, seat: Cell, made: Made, target: Description) -> Iterator[Cell]:
        """Features of the sets of which some metric reads them; of shifted sets none does."""
        if not self._features:
            return
        contender = next(c for c in self._task.rows() if c.name == seat.contender)
        why = features.without(made.runtime, target, features.model_of(self._task, contender), self._plugins)
        why = why or cannot(made.runtime, target, {})
        for one in self._sets:
            if ("ood" if one.shift else one.split) in self._features and not one.severity:
                cell = replace(seat, evidence="features", split=one.split, shift=one.shift, reason=why)
                yield cell if why else replace(cell, key=self._tapped(made, one, seat).key)

    def _tapped(self, made: Made, one: Set, seat: Cell) -> Job:
        needs = {"data": self.chains.texts.tokens(one.samples, made.reads), "artefact": made.key}
        label = f"{self._task.name}: features {seat.contender}, seed {seat.seed}, {one.shift or one.split}"
        code, runtime, together = keys.code("features"), keys.runtime("features", made.runtime), f"{made.key}/features"
        return self._add(Job("features", {"split": one.split}, needs, code, "", runtime, together=together, label=label))

    def _parity(self, cell: Cell, made: Made, use: Use, target: Description, data: str) -> Cell:
        why = cannot(made.runtime, target, use.params)
        if not why and target.facts.get("reference", False):
            why = "this target runs the artefact as it is: nothing was exported"
        if not why and made.runtime != "torch":
            why = f"{made.runtime} artefacts have no eager twin to compare with"
        if why:
            return replace(cell, reason=why)
        needs = {"data": data, "artefact": made.key}
        label = f"{self._task.name}: parity {made.key[:8]} on {use.name}"
        code, runtime = keys.code("parity", target), keys.runtime("parity", made.runtime, packages(target))
        together = f"{made.key}/{cell.target}"
        job = Job("parity", {"target": plain(use)}, needs, code, "", runtime, together=together, label=label)
        return replace(cell, key=self._add(job).key)

    def _add(self, job: Job) -> Job:
        return self.jobs.setdefault(job.key, job)
