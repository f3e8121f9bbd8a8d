"""What the job server asks of the kernel: who dies with whom, who adopts whom, and how much memory was used."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def die_with(parent: int) -> None:
    """Be killed when the parent ends, also if it has ended already."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt() -> None:
    """Become the parent of every orphan below this process, so that none escapes by leaving its session."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def children(pid: int) -> list[int]:
    """The direct children of a process, the dead ones that nobody has waited for among them."""
    found = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += [int(one) for one in Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii").split()]
    return found


def tree(pid: int) -> list[int]:
    """A process and all below it, parents first."""
    found = [pid]
    for one in found:
        found += children(one)
    return found


def kill_tree(pid: int) -> None:
    """SIGKILL to a process, to its group, and to everything below it. Those that slip away become orphans of the server."""
    for one in tree(pid):
        with contextlib.suppress(OSError):
            os.kill(one, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def session(pid: int) -> int:
    """The session of a process; -1 when it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def forget_peak() -> None:
    """Start the high-water mark of this process's memory again."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def memory(name: str) -> int:
    """A size in bytes from /proc/self/status: VmSize (address space), VmRSS (resident now), VmHWM (most resident)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    return 0
