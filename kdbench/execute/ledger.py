"""What each answer of a job means for the schedule, the store and the one who watches."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from kdbench.execute.channel import Message
from kdbench.execute.records import Event
from kdbench.execute.schedule import Schedule
from kdbench.store import Damaged, Missing, Store

PATIENCE = 3
"""How often a job may report a damaged input that turns out to be whole."""


@dataclass(slots=True)
class Ledger:
    """The results of a run so far. ran: entries made; stopped: why the run cannot go on, "" while it can."""

    schedule: Schedule
    store: Store
    tell: Callable[[Event], None]
    ran: int = 0
    stopped: str = ""
    balked: Counter[str] = field(default_factory=Counter)

    def answer(self, message: Message) -> None:
        """Book what was said about one job: "start", "done", "failed", "damaged" or "full"."""
        key = message["key"]
        match message["event"]:
            case "start":
                self._say("started", key)
            case "done" if self.store.has(key):
                self.ran += 1
                self.schedule.made(key)
                self._say("finished", key)
            case "done":
                self.fail(key, "ended without a result: its entry is not complete")
            case "failed":
                self.fail(key, message["reason"], message.get("log", ""))
            case "damaged":
                self._damaged(key, message["bad"], message["why"])
            case "full":
                self.stopped = message["why"]
                self.schedule.again(key)

    def fail(self, key: str, why: str, log: str = "") -> None:
        """The job failed, and what needs it is skipped."""
        self.schedule.fail(key, why)
        self._keep(key, why, log)
        self._say("failed", key, why)
        self.note_skipped()

    def note_skipped(self) -> None:
        """Record and tell what the schedule has skipped since the last time."""
        while self.schedule.skipped:
            key = self.schedule.skipped.pop(0)
            why = self.schedule.failed[key]
            self._keep(key, why, "")
            self._say("skipped", key, why)

    def waits(self, why: str) -> None:
        """Tell that nothing can start for now."""
        schedule = self.schedule
        self.tell(Event("waiting", "", "", schedule.settled, len(schedule.jobs), why))

    def over(self) -> bool:
        """Whether all jobs are settled, and no job has spoilt the entry of another since it was made."""
        if not self.schedule.over:
            return False
        lost = [key for key in self.schedule.done if not self.store.has(key)] if self.ran or self.schedule.failed else []
        for key in lost:
            self.store.drop(key)
            if not self.schedule.remake(key):
                self.schedule.done.discard(key)
                self.fail(key, "its entry is damaged or removed each time it is made")
        return self.schedule.over

    def _damaged(self, key: str, bad: str, why: str) -> None:
        """An input did not hold: make exactly that one again, and then this job."""
        label = self.schedule.label(bad)
        if self._whole(bad):  # another job has had it made again in the meantime
            self.balked[key] += 1
            if self.balked[key] > PATIENCE:
                self.fail(key, f"input {label} cannot be read ({why}), though it is whole")
            else:
                self.schedule.again(key)
            return
        self.store.drop(bad)
        self.schedule.lost(bad)
        if self.schedule.remake(bad):
            self.schedule.again(key)
        else:
            known = bad in self.schedule.jobs
            self.fail(key, f"input {label} is damaged ({why}) and {'stays so' if known else 'is not made by this plan'}")

    def _whole(self, key: str) -> bool:
        try:
            self.store.open(key)
        except (Damaged, Missing):
            return False
        return True

    def _keep(self, key: str, why: str, log: str) -> None:
        with contextlib.suppress(OSError):  # a full disk is said once, by the job that met it; the reason is in the outcome too
            self.store.fail(key, why, log)

    def _say(self, kind: str, key: str, why: str = "") -> None:
        schedule = self.schedule
        self.tell(Event(kind, key, schedule.label(key), schedule.settled, len(schedule.jobs), why))
