"""One job, made here and now: inputs opened, the stage run, the entry written with how long it took and how much memory."""

from __future__ import annotations

import importlib
import os
import random
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kdbench.execute import linux
from kdbench.nouns import Job, Json
from kdbench.stages import Place
from kdbench.store import Entry


@dataclass(frozen=True, slots=True)
class Order:
    """A job to make: the entries it is given (role -> key) and its place in the order in which jobs were handed out."""

    key: str
    job: Job
    inputs: Mapping[str, str]
    sequence: int

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Order:
        """From the message of `told`."""
        told = dict(message["job"])
        told["uses"] = {role: tuple(keys) for role, keys in told["uses"].items()}
        return cls(message["key"], Job(**told), message["inputs"], message["sequence"])


@dataclass(frozen=True, slots=True)
class Bench:
    """What all jobs of a run share. facts: host and versions, for the manifest; opened: inputs checked in this process."""

    place: Place
    stages: str
    facts: Mapping[str, Json] = field(default_factory=dict)
    opened: dict[str, Entry] = field(default_factory=dict)


def told(key: str, job: Job, inputs: Mapping[str, str], sequence: int) -> dict[str, Any]:
    """An order as a message."""
    body = {**job.identity(), "uses": {k: list(v) for k, v in job.uses.items()}, "label": job.label, "together": job.together}
    return {"key": key, "job": {**body, "alone": job.alone}, "inputs": dict(inputs), "sequence": sequence}


def make(order: Order, bench: Bench) -> None:
    """Make the entry of one job. Raises Missing or Damaged for an input, Full for the disk, and whatever the stage raises."""
    store = bench.place.store
    pid = os.getpid()
    linux.forget_peak()
    idle, started, cpu = linux.memory("VmRSS"), time.perf_counter(), _cpu()
    inputs = {role: bench.opened.get(key) or bench.opened.setdefault(key, store.open(key)) for role, key in order.inputs.items()}
    _seed(order.key)
    made: dict[str, Json] = {**bench.facts, "sequence": order.sequence, "used": _used(order)}
    mask = os.umask(0o022)
    os.umask(mask)
    with store.write(order.job, made) as draft:
        module = importlib.import_module(f"{bench.stages}.{order.job.stage}")
        module.run(order.job, inputs, draft, bench.place)
        if os.getpid() != pid:
            os._exit(0)  # a copy of this process that the stage forked and let run on: only one writes the entry
        os.umask(mask)
        if not draft.files:
            raise ValueError(f"stage {order.job.stage} wrote nothing")
        made["seconds"] = time.perf_counter() - started
        made["cpu_seconds"] = _cpu() - cpu
        made["idle_bytes"] = idle
        made["peak_bytes"] = linux.memory("VmHWM")


def _used(order: Order) -> dict[str, Json]:
    """Which of the offered inputs were taken: not part of the key, so the manifest says it."""
    return {role: key for role, key in order.inputs.items() if role in order.job.uses}


def _cpu() -> float:
    """User and system seconds of this process and of the children it has waited for."""
    own, below = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime


def _seed(key: str) -> None:
    """Global generators start from the job's key: code that forgets to seed repeats itself all the same, in any order of jobs."""
    seed = int(key[:8], 16)
    random.seed(seed)
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        numpy.random.seed(seed)
    if torch is not None:
        torch.manual_seed(seed)
