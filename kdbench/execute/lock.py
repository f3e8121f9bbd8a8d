"""One run at a time in a folder, and nothing beside a timed job on a machine. Both locks end with the process that holds them."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kdbench.nouns import Refusal


@contextlib.contextmanager
def hold(root: Path) -> Iterator[None]:
    """Be the only run on this folder. Raises Refusal, naming the process that holds it.

    The lock is the kernel's (flock) and not the text, so that one left behind by a dead process hinders nobody.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise Refusal(f"cannot use {root}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 500, 0).decode(errors="replace").strip() or "another process"
            raise Refusal(f"{root} is in use by {holder}; wait for it, or use another folder") from None
        except OSError as error:
            raise Refusal(f"cannot lock {root}: {error.strerror}; use a folder on a local disk") from None
        since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {platform.node()} since {since}\n".encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


class Quiet:
    """This machine, as all runs of this user share it: any number of them work beside each other, but one that times something
    is alone. Other users' runs are not seen; the load that a timing was taken under is recorded with it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or Path(tempfile.gettempdir())) / f"kdbench-{os.getuid()}.quiet"
        self._handle = -1
        self._how = fcntl.LOCK_UN

    def take(self) -> bool:
        """Be alone if no run works or times something now; never waits. Raises OSError where the lock file cannot be made."""
        return self._hold(fcntl.LOCK_EX)

    def share(self) -> bool:
        """Work beside others if nobody times something now; never waits. Raises OSError as `take`."""
        return self._hold(fcntl.LOCK_SH)

    def leave(self) -> None:
        """Give it back; does nothing if it is not held."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle, self._how = -1, fcntl.LOCK_UN

    def _hold(self, how: int) -> bool:
        if self._how == how:
            return True
        self.leave()  # the kernel does not change one lock into the other in one step either
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._handle, self._how = handle, how
        return True
