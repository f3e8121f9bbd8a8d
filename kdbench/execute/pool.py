"""The parent's end of the job server: started in a clean interpreter, spoken to by messages, ended for certain."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from kdbench import files
from kdbench.execute.channel import Channel, Message

BOOT = """import json, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
sys.path[:] = json.loads(sys.argv[1])
from kdbench.execute.server import main
main(int(sys.argv[2]))"""

CALM: Mapping[str, str] = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"),
    "NUMEXPR_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
}
"""One thread per job, none of them spinning; no network; equal order of sets and equal encodings everywhere."""

_KNOWN = re.compile(
    r"(PATH|HOME|USER|LOGNAME|SHELL|TZ|TMPDIR|LANG|LANGUAGE|VIRTUAL_ENV|SSL_CERT_(FILE|DIR)|SSH_AUTH_SOCK)$"
    r"|(LC|LD|DYLD|PYTHON|OMP|GOMP|KMP|MKL|OPENBLAS|KDBENCH|CUDA|NVIDIA|HIP|ROCR|TORCH|PYTORCH|HF|TRANSFORMERS|XDG|CONDA|COVERAGE)"
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY", re.IGNORECASE)


def environment() -> dict[str, str]:
    """The environment of jobs: an allow-list of ours, without what is named like a secret, calmed. Logs of jobs are kept, and a
    job may print all it sees.
    """
    passed = {name: value for name, value in os.environ.items() if _KNOWN.match(name) and not _SECRET.search(name)}
    return {**passed, **CALM}


class Pool:
    """A job server. `channel.open` turns False when it has died; `ready` turns True when it can take batches."""

    def __init__(self, hello: Mapping[str, Any], root: Path, warm: Sequence[str]) -> None:
        here, there = socket.socketpair()
        pid = os.getpid()
        self.folder = root / "tmp" / f"{pid}-{files.born(pid)}-{secrets.token_hex(6)}"
        self.folder.mkdir(parents=True)
        self.ready = False
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        path = json.dumps([os.path.abspath(one) for one in sys.path])
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", BOOT, path, str(there.fileno())],
                pass_fds=[there.fileno()],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=self._words,
                stderr=self._words,
            )
        self.channel = Channel(here)
        self.channel.send({**hello, "root": str(root), "folder": str(self.folder), "warm": list(warm)})

    def receive(self) -> list[Message]:
        """What the server and the jobs have said."""
        messages = self.channel.receive()
        self.ready = self.ready or any(one.get("event") == "ready" for one in messages)
        return messages

    def run(self, number: int, orders: Sequence[Message]) -> None:
        """Hand out a batch."""
        self.channel.send({"do": "batch", "batch": number, "orders": list(orders)})

    def stop_jobs(self) -> None:
        """Kill every job now; each batch still says that it ended."""
        self.channel.send({"do": "kill"})

    def words(self) -> str:
        """The last line that the server itself wrote, for when it died."""
        self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - 4096))
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def close(self, *, pids: Sequence[int] = (), at_once: bool = False) -> int:
        """End the server and everything below it; gives its exit status. pids: job processes it may have left when it died."""
        if at_once:
            self._process.kill()
        with contextlib.suppress(OSError):
            self.channel.send({"do": "quit"})
        self.channel.close()
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        for pid in pids:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        end = time.monotonic() + 2.0
        while any(files.born(pid) for pid in pids) and time.monotonic() < end:
            time.sleep(0.005)  # not ours to wait for: the kernel has them until they are gone, and with them their files
        self._words.close()
        files.remove(self.folder)
        return status
