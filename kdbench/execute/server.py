"""The fork server: imports what jobs need, runs nothing itself, and forks one process per batch of jobs.

It is the parent and, for those that slip away, the foster parent of all job processes: it drains their output, ends them
when they take too long, and leaves none behind. It ends when its socket does.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench import files
from kdbench.execute import child, linux, reason, warm
from kdbench.execute.channel import Channel, Message
from kdbench.execute.live import Live, close, pipes
from kdbench.execute.work import Bench, Order
from kdbench.registry import discover
from kdbench.stages import Place
from kdbench.store import Store

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL."""
STOPPED = "stopped"


@dataclass(slots=True)
class Server:
    """The state of the server. limits: timeout in seconds and memory in bytes, per job."""

    channel: Channel
    bench: Bench
    timeout: float
    memory: int
    folder: Path
    live: dict[int, Live] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def serve(self) -> None:
        """Until the other end of the socket closes, or says quit."""
        self.selector.register(self.channel, selectors.EVENT_READ)
        while self.channel.open:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.channel.waiting else 0)
            self.selector.modify(self.channel, wanted)
            for key, _ in self.selector.select(self._patience()):
                live = key.data
                if live is None:
                    self._listen()
                elif live.number not in self.live:
                    continue  # buried in this round; its descriptors may belong to another by now
                elif key.fd == live.output:
                    self._drain(live)
                elif key.fd == live.status:
                    self._hear(live)
                else:
                    self._bury(live)
            self._watch(time.monotonic())
        self._end()

    def _listen(self) -> None:
        for message in self.channel.receive():
            match message["do"]:
                case "batch":
                    self._fork(message)
                case "kill":
                    for live in list(self.live.values()):
                        live.dying = STOPPED
                        linux.kill_tree(live.pid)
                case "quit":
                    self.channel.open = False
        self.channel.flush()

    def _fork(self, message: Message) -> None:
        orders = tuple(Order.of(one) for one in message["orders"])
        number, first = message["batch"], orders[0].key
        try:
            folder = Path(tempfile.mkdtemp(prefix="j", dir=self.folder))
            ends = pipes(3)
            (status_out, status), (output_out, output), (go, start) = ends
            inherited = [self.channel.fileno(), self.selector.fileno(), status_out, output_out, start]  # type: ignore[attr-defined]
            for one in self.live.values():
                inherited += [one.end, one.status, one.output]
            task = child.Task(orders, self.bench, self.memory, folder, status, output, go, tuple(inherited), os.getpid())
            pid = self._forked(ends)
        except OSError as error:
            full = error.errno in files.NO_ROOM
            why = f"cannot start a process in {self.folder}: {error.strerror}"
            self._tell(number, {"event": "full", "why": why} if full else {"event": "failed", "reason": why, "log": ""}, first)
            self._tell(number, {"event": "ended"})
            return
        if pid == 0:
            child.run(task)
        close((status, output, go))
        os.set_blocking(status_out, False)
        os.set_blocking(output_out, False)
        deadline = time.monotonic() + self.timeout
        live = Live(number, pid, os.pidfd_open(pid), status_out, output_out, folder, first, deadline)
        self.live[number] = live
        for handle in (live.end, live.status, live.output):
            self.selector.register(handle, selectors.EVENT_READ, live)
        self._tell(number, {"event": "forked", "pid": pid})
        with contextlib.suppress(OSError), os.fdopen(start, "wb") as bell:
            bell.write(b"!")

    def _forked(self, ends: list[tuple[int, int]]) -> int:
        try:
            return os.fork()
        except OSError:
            close(handle for pair in ends for handle in pair)
            raise

    def _hear(self, live: Live) -> None:
        """Pass on what the child says about its jobs."""
        live.lines += self._read(live.status)
        *whole, live.lines = live.lines.split(b"\n")
        for line in whole:
            said = files.parse(line)
            if said is None or not isinstance(said.get("key"), str):
                continue  # another writer found the pipe: the store decides what is done
            if said["event"] == "start":
                live.current, live.started, live.log = said["key"], True, b""
                live.deadline = time.monotonic() + self.timeout
            else:
                live.current = ""
                if said["event"] == "failed":
                    self._drain(live)
                    said["log"] = self._log(live)
            self._tell(live.number, said)

    def _drain(self, live: Live) -> None:
        for _ in range(64):
            data = self._read(live.output)
            if not data:
                return
            live.log = (live.log + data)[-reason.LOG :]

    def _read(self, handle: int) -> bytes:
        """What is there; b"" for nothing. At the end of the stream the pipe is no longer watched."""
        try:
            data = os.read(handle, 1 << 16)
        except BlockingIOError:
            return b""
        if not data:
            with contextlib.suppress(KeyError):
                self.selector.unregister(handle)
        return data

    def _watch(self, now: float) -> None:
        for live in self.live.values():
            if not live.dying and now >= live.deadline:
                live.dying = reason.late(self.timeout)
                live.kill_at = now + GRACE
                with contextlib.suppress(OSError):
                    os.killpg(live.pid, signal.SIGTERM)
            elif now >= live.kill_at:
                live.kill_at = float("inf")
                linux.kill_tree(live.pid)

    def _patience(self) -> float | None:
        times = [live.kill_at if live.dying else live.deadline for live in self.live.values()]
        nearest = min(times, default=float("inf"))
        return None if nearest == float("inf") else max(0.0, nearest - time.monotonic())

    def _bury(self, live: Live) -> None:
        """The child has ended (it is a zombie until waited for, so its number is still its own)."""
        del self.live[live.number]
        self._hear(live)
        self._drain(live)
        with contextlib.suppress(OSError):
            os.killpg(live.pid, signal.SIGKILL)
        status = os.waitpid(live.pid, 0)[1]
        self._reap()
        self._drain(live)
        for handle in (live.end, live.status, live.output):
            with contextlib.suppress(KeyError):
                self.selector.unregister(handle)
            os.close(handle)
        files.remove(live.folder)
        key = live.current or ("" if live.started else live.first)
        if key and live.dying != STOPPED:
            log = self._log(live)
            self._tell(
                live.number, {"event": "failed", "reason": live.dying or reason.ended(status, log, self.memory), "log": log}, key
            )
        self._tell(live.number, {"event": "ended"})

    def _reap(self) -> None:
        """Kill what jobs left behind: every child of ours that is neither a job nor of the session of one."""
        alive = {live.pid for live in self.live.values()}
        for _ in range(200):
            strays = [one for one in linux.children(os.getpid()) if one not in alive and linux.session(one) not in alive]
            for one in strays:
                linux.kill_tree(one)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(one, os.WNOHANG)
            if not strays:
                return
            time.sleep(0.005)

    def _end(self) -> None:
        for live in self.live.values():
            linux.kill_tree(live.pid)
            os.waitpid(live.pid, 0)
        self.live.clear()
        self._reap()
        files.remove(self.folder)

    def _log(self, live: Live) -> str:
        return reason.clean(live.log.decode(errors="replace"))

    def _tell(self, number: int, said: dict[str, Any], key: str = "") -> None:
        self.channel.send({"batch": number, **({"key": key} if key else {}), **said})


def main(handle: int) -> None:
    """Entered by `Pool` in a fresh interpreter; the first message says what to import and where to work."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    linux.adopt()
    end = socket.socket(fileno=handle)
    hello = files.parse(end.makefile("rb").readline())
    if hello is None:
        return
    warm.heat(hello["warm"])
    folders = tuple(Path(one) for one in hello["plugins"])
    place = Place(discover(folders), Store(Path(hello["root"])), Path(hello["data"]) if hello["data"] else None)
    facts = {"host": hello["host"], "versions": warm.versions(hello["packages"]), "python": sys.version.split()[0]}
    bench = Bench(place, hello["stages"], facts)
    channel = Channel(end)
    channel.send({"event": "ready", "rss": linux.memory("VmRSS")})
    Server(channel, bench, hello["timeout"], hello["memory"], Path(hello["folder"])).serve()
