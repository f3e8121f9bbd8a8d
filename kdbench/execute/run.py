"""The run: hands ready jobs to the pool until all are settled."""

from __future__ import annotations

import selectors
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.execute import reason, warm
from kdbench.execute.channel import Message
from kdbench.execute.heed import Heed, heeded
from kdbench.execute.ledger import Ledger
from kdbench.execute.pool import Pool
from kdbench.execute.records import Event, Outcome, Site
from kdbench.execute.schedule import Ready, Schedule
from kdbench.execute.turn import Turn
from kdbench.execute.work import told
from kdbench.nouns import Job
from kdbench.store import Store

GRACE = 4.0
"""Seconds that running jobs get to end after the first Ctrl-C."""
STUCK = 20.0
"""Seconds past the time limit after which a silent server is taken for dead."""
POLL = 0.2
"""Seconds between two looks at the machine-wide lock."""


def execute(jobs: Sequence[Job], store: Store, site: Site, tell: Callable[[Event], None]) -> Outcome:
    """Make the entry of every job that the store lacks. A job that fails is a result (`Outcome.failed`), not an exception.

    Each batch runs in a process of its own: jobs with equal `together`, else one job. The first SIGINT, SIGTERM or SIGHUP lets
    running jobs end for 4 s, the second stops at once. The caller holds `lock.hold(store.root)`. An entry that nothing needs
    is not read here: a caller who finds one `Damaged` later drops it and calls again.
    """
    started = time.monotonic()
    store = Store(Path(store.root).resolve())
    ledger = Ledger(Schedule(jobs, store.has), store, tell)
    asked = 0
    ledger.note_skipped()
    if not ledger.schedule.over:
        store.sweep()
        try:
            with heeded() as heed:
                _Run(ledger, site, heed).go()
                asked = heed.asked
        finally:
            store.sweep()
    schedule = ledger.schedule
    seconds = time.monotonic() - started
    return Outcome(
        len(schedule.done), ledger.ran, dict(schedule.failed), bool(asked) and not schedule.over, seconds, ledger.stopped
    )


@dataclass(slots=True)
class _Flight:
    """A batch in the hands of the server. left: its jobs without an answer; heard: when it last said something."""

    left: dict[str, Ready]
    heard: float
    current: str = ""
    pid: int = 0
    alone: bool = False


@dataclass(slots=True)
class _Run:
    """The pool and what it is at. suspects: jobs that a server died with; bare: start the next one without imports."""

    ledger: Ledger
    site: Site
    heed: Heed
    pool: Pool | None = None
    bare: bool = False
    batches: int = 0
    sequence: int = 0
    flights: dict[int, _Flight] = field(default_factory=dict)
    suspects: list[Ready] = field(default_factory=list)
    deaths: Counter[str] = field(default_factory=Counter)
    turn: Turn = field(init=False)

    def __post_init__(self) -> None:
        """The turns that runs of one machine take."""
        self.turn = Turn(self.ledger.store.root, self.ledger.waits)

    def go(self) -> None:
        """Until all jobs are settled or the run is stopped; no process outlives this call."""
        stop_at, asked = float("inf"), 0
        try:
            while not self.ledger.over():
                halting = bool(self.heed.asked or self.ledger.stopped)
                if halting and (stop_at == float("inf") or self.heed.asked > asked):
                    stop_at = min(stop_at, time.monotonic() + (GRACE if self.heed.asked < 2 else 0.0))
                    asked = self.heed.asked
                if halting and (not self.flights or time.monotonic() >= stop_at):
                    return
                polls = not halting and self._dispatch()
                patience = POLL if polls else 5.0 if self.flights or self.pool is None or not self.pool.ready else 0.0
                self._listen(min(patience, max(0.0, stop_at - time.monotonic())))
        finally:
            self.turn.leave()
            self._bury()

    def _dispatch(self) -> bool:
        """Hand out what can start. True if a job waits for another run on this machine."""
        if self.pool is None:
            self._start()
        if self.pool is None or not self.pool.ready:
            return False
        schedule = self.ledger.schedule
        if self.suspects:  # one at a time, so that the next death of the server has one cause
            if self.flights or not self.turn.ours(alone=self.suspects[0].job.alone):
                return not self.flights
            self._launch([self.suspects.pop(0)])
            return False
        if not schedule.waits_alone() and not self._fill():
            return True
        self.ledger.note_skipped()
        if not self.flights and schedule.waits_alone():
            if not self.turn.ours(alone=True):
                return True
            self._launch(schedule.take(idle=True))
        elif not self.flights and not schedule.over:
            left = (key for key in schedule.jobs if key not in schedule.done and key not in schedule.failed)
            self.ledger.fail(next(left), "needs a job that needs this one")
        return False

    def _fill(self) -> bool:
        """Start jobs that go beside others, as many as there are workers; False if another run keeps them out."""
        crowded = any(flight.alone for flight in self.flights.values())
        while not crowded and len(self.flights) < self.site.workers:
            if not self.turn.ours(alone=False):
                return False
            batch = self.ledger.schedule.take(idle=False)
            if not batch:
                break
            self._launch(batch)
        return True

    def _start(self) -> None:
        schedule, site, root = self.ledger.schedule, self.site, self.ledger.store.root
        pending = [job for key, job in schedule.jobs.items() if key not in schedule.done and key not in schedule.failed]
        hello: dict[str, Any] = {
            "plugins": [str(one.resolve()) for one in site.plugins],
            "data": str(site.data.resolve()) if site.data else "",
            "timeout": site.timeout,
            "memory": site.cap(),
            "host": dict(site.host),
            "stages": site.stages,
            "packages": warm.packages(pending),
        }
        try:
            self.pool = Pool(hello, root, [] if self.bare else warm.choose(pending, site.stages, site.plugins))
        except OSError as error:
            self.ledger.stopped = f"the job server cannot start: {error.strerror}: {error.filename or root}"

    def _launch(self, batch: list[Ready]) -> None:
        if not batch or self.pool is None:
            return
        orders = []
        for ready in batch:
            self.sequence += 1
            orders.append(told(ready.key, ready.job, ready.inputs, self.sequence))
        self.batches += 1
        left = {ready.key: ready for ready in batch}
        self.flights[self.batches] = _Flight(left, time.monotonic(), alone=batch[0].job.alone)
        self.pool.run(self.batches, orders)

    def _listen(self, seconds: float) -> None:
        """Wait for the jobs or the user, and book what was said."""
        if self.pool is None:
            return
        with selectors.DefaultSelector() as selector:
            writes = selectors.EVENT_WRITE if self.pool.channel.waiting else 0
            selector.register(self.pool.channel, selectors.EVENT_READ | writes)
            selector.register(self.heed.handle, selectors.EVENT_READ)
            selector.select(seconds)
        self.heed.hush()
        self.pool.channel.flush()
        for message in self.pool.receive():
            self._hear(message)
        late = time.monotonic() - self.site.timeout - STUCK
        stuck = any(flight.heard < late for flight in self.flights.values())
        if stuck or not self.pool.channel.open:
            self._lose(stuck=stuck)

    def _hear(self, message: Message) -> None:
        flight = self.flights.get(message.get("batch", 0))
        if flight is None:
            return
        flight.heard = time.monotonic()
        match message["event"]:
            case "forked":
                flight.pid = message["pid"]
            case "ended":
                del self.flights[message["batch"]]
                for key in flight.left:
                    self.ledger.schedule.again(key)
                if not self.flights:  # another run may have waited for this moment
                    self.turn.leave()
            case event:
                if message.get("key") in flight.left:
                    flight.current = message["key"]
                    if event != "start":
                        del flight.left[message["key"]]
                        flight.current = ""
                    self.ledger.answer(message)

    def _lose(self, *, stuck: bool) -> None:
        """The server has died, or no longer answers. Its jobs go back; those that it was at are tried once more, each alone."""
        pool, flights = self.pool, list(self.flights.values())
        if pool is None:
            return
        words, ready = pool.words(), pool.ready
        self._bury(at_once=stuck)
        if not ready and self.bare:
            self.ledger.stopped = reason.line(f"the job server cannot start: {words or 'it ended without a word'}")
        self.bare = not ready
        for flight in flights:
            guilty = flight.current or next(iter(flight.left), "")
            for key, one in flight.left.items():
                if key != guilty:
                    self.ledger.schedule.again(key)
                    continue
                self.deaths[key] += 1
                if self.deaths[key] > 1:
                    self.ledger.fail(key, "the job server was killed while it ran, twice")
                else:
                    self.suspects.append(one)

    def _bury(self, *, at_once: bool = False) -> None:
        if self.pool is not None:
            pids = [flight.pid for flight in self.flights.values() if flight.pid]
            self.pool.close(pids=pids, at_once=at_once or not self.pool.ready)
            self.pool = None
        self.flights.clear()
