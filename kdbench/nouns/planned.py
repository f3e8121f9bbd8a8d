"""What has to be done: jobs, and the cells of the board that wait for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kdbench.nouns.canonical import Json, Params, digest


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work whose result is stored under `key`.

    The key is the hash of everything that decides the result: `stage`, `spec`, `needs` (role -> key of another job),
    `code`, `content` (hash of files outside the store) and `runtime`. The other fields say how to run it and change no result:
    `uses` offers inputs any one of which will do (equal graphs are timed once), `together` names jobs that share a process,
    `alone` asks for a quiet machine.
    """

    stage: str
    spec: Params
    needs: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    content: str = ""
    runtime: str = ""
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    together: str = field(default="", compare=False)
    alone: bool = field(default=False, compare=False)
    label: str = field(default="", compare=False)
    key: str = field(init=False, compare=False)
    """64 hex digits: the sha256 of the canonical JSON of `identity`."""

    def __post_init__(self) -> None:
        """Take the key once: plans and stores ask for it all the time."""
        object.__setattr__(self, "key", digest(self.identity()))

    def identity(self) -> dict[str, Json]:
        """What the key is made of."""
        return {
            "stage": self.stage,
            "spec": dict(self.spec),
            "needs": dict(self.needs),
            "code": self.code,
            "content": self.content,
            "runtime": self.runtime,
        }


@dataclass(frozen=True, slots=True)
class Cell:
    """A place on the board where evidence is expected, and the job that brings it; or the reason why there is none.

    `evidence` is predictions | features | parity | size | cost | latency | memory | energy. For predictions and features, `split`
    is validation | test, and `shift`/`severity` say what was done to the test split ("" for nothing, "ood:<dataset>" for a
    companion set). For latency and memory, `scenario` says how the model is called: "" for one row of full length at a time,
    else "batch=32", "length=64" or "batch*length=32 & 64".
    """

    task: str
    contender: str
    seed: int
    target: str
    evidence: str
    key: str = ""
    split: str = ""
    shift: str = ""
    severity: int = 0
    reason: str = ""
    scenario: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All jobs in an order in which they can run, and the cells of the board that wait for them."""

    jobs: tuple[Job, ...]
    cells: tuple[Cell, ...]

    def job(self, key: str) -> Job:
        """The job of that key."""
        return next(job for job in self.jobs if job.key == key)
