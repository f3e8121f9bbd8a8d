"""The far end of the target `ssh`: one file, standard library only, for Python 3.9 or newer on a Unix.

It is sent through its own standard input, makes a folder that only this user can read, and answers one line of JSON for each
line of JSON it is asked: it runs scripts in that folder, one at a time, and two measurements on a machine never at once. When
its input ends, for whatever reason, it ends what it runs, removes the folder and ends too. It sends and fetches no files.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

PREFIX, MARK = "kdbench-remote-", "in-use"
LONGEST = 16 << 20
"""Bytes of a request, and of what a script may print."""
ISA = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "sve", "bf16")


class Gone(Exception):
    """Nobody listens any more."""


class Input:
    """Standard input by lines, and whether there is more; read by descriptor, so that waiting for it is exact."""

    def __init__(self, handle: int) -> None:
        self.handle, self._held = handle, b""

    def line(self) -> bytes:
        """The next line. Raises Gone at the end."""
        while b"\n" not in self._held:
            data = os.read(self.handle, 1 << 16)
            if not data or len(self._held) > LONGEST:
                raise Gone
            self._held += data
        line, _, self._held = self._held.partition(b"\n")
        return line

    def wait(self, other: list[int], seconds: float) -> bool:
        """Wait until one of the other descriptors can be read; whether one can. Raises Gone when the input ends meanwhile."""
        ready, _, _ = select.select([self.handle, *other], [], [], max(0.0, seconds))
        if self.handle in ready:
            raise Gone  # its end: nothing is asked before the answer
        return bool(ready)


def main() -> None:
    """Serve until the input ends."""
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    os.umask(0o077)
    folder = tempfile.mkdtemp(prefix=PREFIX)
    try:
        mark = _marked(folder)
        _sweep()
        source = Input(0)
        _say({"kdbench": 1, "folder": folder, "host": describe()})
        while True:
            request = json.loads(source.line())
            _say(run(request, folder, source) if request["do"] == "run" else {"free": shutil.disk_usage(folder).free})
    except (Gone, BrokenPipeError):
        os.close(mark)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # a broken pipe would be complained about once more


def _leave(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def run(request: dict[str, Any], folder: str, source: Input) -> dict[str, Any]:
    """Run a script of the folder: {code: exit code, or minus the signal; out: its last line; err: the end of what it complained;
    late, busy: whether it was ended, or never begun, because `seconds` were over}. Nothing runs beside one that asks to be alone.
    """
    end = time.monotonic() + request["seconds"]
    lock = os.open(_lock_path(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not _taken(lock, fcntl.LOCK_EX if request["alone"] else fcntl.LOCK_SH, end, source):
            return {"code": 0, "out": "", "err": "", "late": False, "busy": True}
        out, err = os.path.join(folder, "out"), os.path.join(folder, "err")
        with open(out, "wb") as words, open(err, "wb") as complaints:
            code, late = _child([os.path.abspath(sys.executable), *request["words"]], request, (words, complaints), end, source)
        return {"code": code, "out": _end(out, LONGEST).rpartition("\n")[2], "err": _end(err, 4096), "late": late, "busy": False}
    finally:
        os.close(lock)


def _child(command: list[str], request: dict[str, Any], outputs: tuple[Any, Any], end: float, source: Input) -> tuple[int, bool]:
    """Run it in a process group of its own. It is waited for without looking, which would disturb a measurement."""
    threads = str(request["threads"])
    calm = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    environment = {**os.environ, **calm, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONUTF8": "1"}
    ended, held = os.pipe()  # the kernel closes the child's end with the child
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=outputs[0],
        stderr=outputs[1],
        cwd=request["cwd"],
        env=environment,
        pass_fds=[held],
        start_new_session=True,
    )
    os.close(held)
    try:
        late = not source.wait([ended], end - time.monotonic())
    finally:
        with contextlib.suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        os.close(ended)
    return child.returncode, late


def _taken(lock: int, how: int, end: float, source: Input) -> bool:
    while True:
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            source.wait([], 0.2)


def _end(path: str, longest: int) -> str:
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - longest))
        return file.read(longest).decode("utf-8", "replace").strip()


def _lock_path() -> str:
    return os.path.join(tempfile.gettempdir(), f"kdbench-{os.getuid()}.measuring")


def _marked(folder: str) -> int:
    """Mark the folder as in use, by a lock that ends with this process. It has its name only once it is locked."""
    new, path = os.path.join(folder, "new"), os.path.join(folder, MARK)
    handle = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.rename(new, path)
    return handle


def _sweep() -> None:
    """Remove what was left by one that was killed."""
    for entry in os.scandir(tempfile.gettempdir()):
        if not entry.name.startswith(PREFIX) or entry.is_symlink() or entry.stat().st_uid != os.getuid():
            continue
        try:
            handle = os.open(os.path.join(entry.path, MARK), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(entry.path, ignore_errors=True)
        except BlockingIOError:
            pass  # another one works there
        finally:
            os.close(handle)


def describe() -> dict[str, Any]:
    """The machine as plain data; no name of host or user. What it does not say is "", 0 or None."""
    cpu = _cpuinfo()
    flags = set((cpu.get("flags") or cpu.get("Features") or "").split())
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0
    return {
        "cpu": cpu.get("model name") or _first_line("/proc/device-tree/model") or platform.processor(),
        "isa": [name for name in ISA if name in flags],
        "cores": os.cpu_count() or 0,
        "usable_cores": usable,
        "memory_gib": _memory_gib(),
        "os": platform.system(),
        "arch": platform.machine(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "governor": _first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or None,
    }


def _cpuinfo() -> dict[str, str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            text = file.read().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip("\0\n ")
    except OSError:
        return ""


def _memory_gib() -> int:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError, AttributeError):
        return 0


if __name__ == "__main__":
    main()
