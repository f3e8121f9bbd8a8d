"""Which job may run next: pure bookkeeping over needs, uses and results, without processes, files or time."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kdbench.execute import reason
from kdbench.nouns import Job

REMAKES = 2
"""How often the entry of one job may be found damaged, and be made again, in one run."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A job and the entries that it is given: role -> key."""

    key: str
    job: Job
    inputs: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Look:
    """What a job can do now: run on `inputs`, wait for the job `waits`, or be skipped for `cause`."""

    inputs: dict[str, str] = field(default_factory=dict)
    waits: str = ""
    cause: str = ""


class Schedule:
    """The jobs of a plan and what became of each.

    A job that is not settled is ready, running, or waits for exactly one other job; when that one settles it is looked at again,
    so that a run of n jobs costs about as many looks as there are needs.
    """

    def __init__(self, jobs: Iterable[Job], has: Callable[[str], bool]) -> None:
        self.jobs = {job.key: job for job in jobs}
        self.done = {key for key in self.jobs if has(key)}
        self.failed: dict[str, str] = {}
        self.running: set[str] = set()
        self._has = has
        self._place = {key: n for n, key in enumerate(self.jobs)}
        self._keys = list(self.jobs)
        self._ready: dict[bool, list[int]] = {False: [], True: []}
        self._groups: defaultdict[str, set[str]] = defaultdict(set)
        self._waiting: defaultdict[str, list[str]] = defaultdict(list)
        self._outside: dict[str, bool] = {}
        self._remade: defaultdict[str, int] = defaultdict(int)
        self.skipped: list[str] = []
        """Keys skipped since the caller last emptied it."""
        self._look_at(key for key in self._keys if key not in self.done)

    @property
    def settled(self) -> int:
        """Jobs that are done, failed or skipped."""
        return len(self.done) + len(self.failed)

    @property
    def over(self) -> bool:
        """Whether nothing is left to run."""
        return self.settled == len(self.jobs)

    def take(self, *, idle: bool) -> list[Ready]:
        """The next batch, in plan order; empty if nothing can start now. Jobs that run alone come last, when the pool is idle."""
        batch = self._take(alone=False)
        return batch or (self._take(alone=True) if idle and not self.running else [])

    def waits_alone(self) -> bool:
        """Whether all that is ready has to run alone."""
        return not self._ready[False] and bool(self._ready[True])

    def made(self, key: str) -> None:
        """The entry of the job is in the store."""
        self.running.discard(key)
        self.failed.pop(key, None)
        self.done.add(key)
        self._wake(key)

    def fail(self, key: str, why: str) -> None:
        """The job failed; what needs it is skipped, and listed in `skipped`."""
        self.running.discard(key)
        self.failed[key] = why
        self._wake(key)

    def again(self, key: str) -> None:
        """A job that was taken did not run to an end of its own, and goes back in the queue."""
        self.running.discard(key)
        self._look_at([key])

    def remake(self, key: str) -> bool:
        """The entry of a job is gone or damaged. False if the job is not in this plan, or has been made again too often."""
        if key not in self.jobs or self._remade[key] >= REMAKES:
            return False
        if key in self.done:
            self._remade[key] += 1
            self.done.discard(key)
            self._look_at([key])
        return key not in self.failed

    def label(self, key: str) -> str:
        """What to call a job to a person."""
        job = self.jobs.get(key)
        return job.label or f"{job.stage} {key[:12]}" if job else key[:12]

    def _take(self, *, alone: bool) -> list[Ready]:
        heap = self._ready[alone]
        while heap:
            key = self._keys[heapq.heappop(heap)]
            together = self.jobs[key].together
            if key not in self._groups[together]:
                continue  # taken before, as a member of a batch
            group = sorted(self._groups[together], key=self._place.__getitem__) if together and not alone else [key]
            batch = []
            for member in group:
                self._groups[together].discard(member)
                look = self._inputs(self.jobs[member])
                if look.waits or look.cause:
                    self._look_at([member])
                else:
                    self.running.add(member)
                    batch.append(Ready(member, self.jobs[member], look.inputs))
            if batch:
                return batch
        return []

    def _wake(self, key: str) -> None:
        self._look_at(self._waiting.pop(key, ()))

    def _look_at(self, keys: Iterable[str]) -> None:
        todo = deque(keys)
        while todo:
            key = todo.popleft()
            if key in self.done or key in self.failed or key in self.running:
                continue
            job = self.jobs[key]
            look = self._inputs(job)
            if look.cause:
                self.failed[key] = look.cause
                self.skipped.append(key)
                todo.extend(self._waiting.pop(key, ()))
            elif look.waits:
                self._waiting[look.waits].append(key)
            else:
                self._groups[job.together].add(key)
                heapq.heappush(self._ready[job.alone], self._place[key])

    def _inputs(self, job: Job) -> _Look:
        inputs = {}
        for role, key in job.needs.items():
            cause = self._cause(role, key)
            if cause:
                return _Look(cause=cause)
            if not self._there(key):
                return _Look(waits=key)
            inputs[role] = key
        for role, candidates in job.uses.items():
            cause = f"needs {role}: the plan offers none"
            for key in candidates:
                cause = self._cause(role, key)
                if not cause:
                    break
            if cause:
                return _Look(cause=cause)
            if not self._there(key):
                return _Look(waits=key)
            inputs[role] = key
        return _Look(inputs)

    def _there(self, key: str) -> bool:
        return key in self.done or (key not in self.jobs and self._outside.get(key, False))

    def _cause(self, role: str, key: str) -> str:
        """Why an input can never be had; "" if it is there or may come."""
        if key in self.jobs:
            return reason.needs(self.label(key), self.failed[key]) if key in self.failed else ""
        if key not in self._outside:
            self._outside[key] = self._has(key)
        return "" if self._outside[key] else f"needs {role} ({key[:12]}): neither in this plan nor in the store"

    def lost(self, key: str) -> None:
        """An entry that is not of this plan turned out damaged: it cannot be made here."""
        self._outside[key] = False
