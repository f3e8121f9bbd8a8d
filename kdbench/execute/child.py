"""A process that makes one batch of jobs and ends. Everything a job may spoil is its own: session, folder, limits, pipes."""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import json
import os
import resource
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from kdbench.execute import linux, reason
from kdbench.execute.live import close
from kdbench.execute.work import Bench, Order, make
from kdbench.store import Damaged, Full, Missing

HIGH = 900
"""The status pipe moves up here, out of the way of a job that closes the low descriptors or opens files in their place."""
LONGEST_FOLDER = 80
"""Sockets below TMPDIR must fit in 108 bytes: a longer folder is not offered as TMPDIR."""


@dataclass(frozen=True, slots=True)
class Task:
    """What the server gives to a child. memory: cap in bytes over the idle process, 0 for none; status, output: pipe ends to
    write to; go: a pipe end that says when the run knows of this process; inherited: the server's own descriptors;
    server: its process number.
    """

    orders: tuple[Order, ...]
    bench: Bench
    memory: int
    folder: Path
    status: int
    output: int
    go: int
    inherited: tuple[int, ...]
    server: int


def run(task: Task) -> NoReturn:
    """Called in the forked child; never returns, and runs no exit handler of the server's."""
    code = 70
    try:
        status = _settle(task)
        _make_all(task, lambda answer: os.write(status, json.dumps(answer).encode() + b"\n"))
        code = 0
    except BaseException as error:  # noqa: B036 - whatever it was, the server must not run on in this copy
        os.write(2, reason.trace(error).encode(errors="replace"))
    finally:
        os._exit(code)


def _make_all(task: Task, say: Callable[[Any], object]) -> None:
    pid, environment = os.getpid(), dict(os.environ)
    for order in task.orders:
        say({"event": "start", "key": order.key})
        answer = _make(order, task, pid)
        with contextlib.suppress(OSError, ValueError, AttributeError):  # the job may have closed or replaced them
            sys.stdout.flush()
            sys.stderr.flush()
        say(answer)
        if answer.get("last") or threading.active_count() > 1:
            return  # not fit for another job: the rest of the batch goes back in the queue
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(task.folder)


def _make(order: Order, task: Task, pid: int) -> dict[str, Any]:
    try:
        make(order, task.bench)
    except Damaged as error:
        return {"event": "damaged", "key": order.key, "bad": error.key, "why": reason.line(error.why)}
    except Missing as error:
        return {"event": "damaged", "key": order.key, "bad": str(error), "why": "it is not there"}
    except Full as error:
        return {"event": "full", "key": order.key, "why": reason.line(str(error))}
    except BaseException as error:  # noqa: B036 - SystemExit and its like are failures of the job, not the end of it
        if os.getpid() != pid:
            os._exit(0)  # a copy that the stage forked
        resource.setrlimit(resource.RLIMIT_AS, (resource.getrlimit(resource.RLIMIT_AS)[1],) * 2)
        why = reason.of(error, task.memory)
        _note(reason.trace(error))
        return {"event": "failed", "key": order.key, "reason": why, "last": why.startswith("memory:")}
    return {"event": "done", "key": order.key}


def _note(text: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # as above: then nobody can be told
        sys.stdout.flush()
        os.write(2, text.encode(errors="replace") + b"\n")


def _settle(task: Task) -> int:
    """Make the process the job's own. Gives the descriptor of the status pipe."""
    os.setsid()
    linux.die_with(task.server)
    os.read(task.go, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(task.output, 1)
    os.dup2(task.output, 2)
    status = _lift(task.status)
    close(n for n in (*task.inherited, task.status, task.output, task.go, null) if n > 2 and n != status)
    os.chdir(task.folder)
    if len(str(task.folder)) <= LONGEST_FOLDER:
        os.environ["TMPDIR"] = tempfile.tempdir = str(task.folder)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    faulthandler.enable(file=2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if task.memory:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        cap = linux.memory("VmSize") + task.memory
        resource.setrlimit(resource.RLIMIT_AS, (cap if hard == resource.RLIM_INFINITY else min(cap, hard), hard))
    return status


def _lift(handle: int) -> int:
    try:
        return fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, HIGH)
    except OSError:  # fewer descriptors are allowed here: it stays low, and a job that closes it fails
        return fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, 3)
