"""Put this folder on PYTHONPATH: counts the file events of a tree of Python processes, and strikes at the N-th.

An event is: open for writing, rename, mkdir, remove, rmdir, link, symlink or truncate, below KDBENCH_FAULT_UNDER. It is counted
(one byte in KDBENCH_FAULT_COUNT, shared by all processes) before it happens. At number KDBENCH_FAULT_AT, KDBENCH_FAULT_ACT:

    kill       this process dies            killgroup  its process group dies
    killopen   the file is created or cut to nothing, then the group dies
    enospc     the event fails, "no space left on device"
    sigint     this process gets SIGINT

Libraries that write without Python's `open` are not seen: torn.c sees their writes.
"""

import contextlib
import errno
import os
import signal
import sys

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NAMES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}


def _path(value):
    return os.path.abspath(os.fsdecode(value)) if isinstance(value, str | bytes | os.PathLike) else ""


def _concerns(event, args, under):
    if event == "open":
        return isinstance(args[2], int) and bool(args[2] & WRITES) and _path(args[0]).startswith(under)
    return event in NAMES and any(_path(value).startswith(under) for value in args)


def _strike(act, event, args):
    if act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif act == "killgroup":
        os.killpg(0, signal.SIGKILL)
    elif act == "killopen":
        if event == "open":
            with contextlib.suppress(OSError):
                os.open(args[0], args[2], 0o644)
        os.killpg(0, signal.SIGKILL)
    elif act == "sigint":
        os.kill(os.getpid(), signal.SIGINT)
    elif act == "enospc":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), _path(args[0]))


def _install():
    count, under = os.environ.get("KDBENCH_FAULT_COUNT"), os.environ.get("KDBENCH_FAULT_UNDER")
    if not count or not under:
        return
    at, act = int(os.environ.get("KDBENCH_FAULT_AT", "0")), os.environ.get("KDBENCH_FAULT_ACT", "killgroup")
    counter = os.open(count, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
    os.set_inheritable(counter, False)
    busy = False

    def hook(event, args):
        nonlocal busy
        if busy or (event != "open" and event not in NAMES) or not _concerns(event, args, under):
            return
        busy = True
        try:
            os.write(counter, b".")
            if at and os.fstat(counter).st_size == at:
                _strike(act, event, args)
        finally:
            busy = False

    sys.addaudithook(hook)


_install()
