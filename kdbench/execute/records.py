"""What a run is given and what it tells: Site, Event, Outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kdbench.execute import host
from kdbench.nouns import Params, Refusal


@dataclass(frozen=True, slots=True)
class Site:
    """Where and how jobs run; nothing here is in any job's key.

    plugins: folders given by --plugins. data: folder of external data. workers: jobs at once, at most one per core.
    timeout: seconds per job. memory: bytes per job over the idle process (address space), 0 for no cap; the default is
    an equal share of 90 % of the memory. host: facts about the machine, written beside each result. stages: the package
    that holds one module per stage.
    """

    plugins: tuple[Path, ...] = ()
    data: Path | None = None
    workers: int = field(default_factory=host.cores)
    timeout: float = 3600.0
    memory: int = -1
    host: Params = field(default_factory=host.facts)
    stages: str = "kdbench.stages"

    def __post_init__(self) -> None:
        """Refuse what no machine can do."""
        if not 1 <= self.workers <= host.cores():
            raise Refusal(f"workers {self.workers}: allowed is 1..{host.cores()}, one per core that this process may use")
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise Refusal(f"timeout {self.timeout:g}: allowed is a positive number of seconds")
        if self.memory < -1:
            raise Refusal(f"memory {self.memory}: allowed is a number of bytes, or 0 for no cap")

    def cap(self) -> int:
        """Bytes that one job may use over the idle process; 0 for no cap."""
        if self.memory >= 0:
            return self.memory
        return max(1 << 30, int(0.9 * host.memory() / self.workers))


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a job. kind: "started" | "finished" | "failed" | "skipped"; done: jobs of `total` that are
    settled by now (made, found in the store, failed or skipped); reason: why it failed or was skipped. Of no job is "waiting":
    nothing can start now, for the reason given.
    """

    kind: str
    key: str
    label: str
    done: int
    total: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. done: jobs whose result is in the store; ran: those of them made now; failed: key -> reason, of jobs
    that failed or were skipped for one that did; stopped: why the run ended early ("" if it did not).
    """

    done: int
    ran: int
    failed: Mapping[str, str]
    interrupted: bool
    seconds: float
    stopped: str = ""
