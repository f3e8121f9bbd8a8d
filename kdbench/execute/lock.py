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
    """The machine as all runs of this user share it: any number of them work beside each other, but one that times something
    is alone. Whoever waits to time something shuts a gate, so that no further work begins before it had its turn. Other users'
    runs are not seen; the load that a timing was taken under is recorded with it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        place = folder or Path(tempfile.gettempdir())
        self._gate, self._room = (_Lock(place / f"kdbench-{os.getuid()}.{name}") for name in ("gate", "quiet"))

    def take(self) -> bool:
        """Be alone if no run works or times something now, else keep new work out until `leave`; never waits. Raises OSError
        where the lock files cannot be made.
        """
        ours = self._room.held(fcntl.LOCK_EX) or (self._gate.hold(fcntl.LOCK_EX) and self._room.hold(fcntl.LOCK_EX))
        if ours:
            self._gate.leave()  # the next in turn may shut it behind us
        return ours

    def share(self) -> bool:
        """Begin work beside that of others, if nobody times something or waits to; never waits. Raises OSError as `take`."""
        if not self._gate.hold(fcntl.LOCK_SH):
            return False
        ours = self._room.hold(fcntl.LOCK_SH)
        if ours:
            self._gate.leave()  # else kept: who times something now cannot go on to the next before we had our turn
        return ours

    def leave(self) -> None:
        """Give all of it back; does nothing if nothing is held."""
        self._room.leave()
        self._gate.leave()


class _Lock:
    """A lock of the kernel (flock) on a file."""

    def __init__(self, path: Path) -> None:
        self._path, self._handle, self._how = path, -1, fcntl.LOCK_UN

    def held(self, how: int) -> bool:
        """Whether it is held like that."""
        return self._how == how

    def hold(self, how: int) -> bool:
        """Hold it shared or exclusively; whether that could be had at once."""
        if self.held(how):
            return True
        self.leave()  # the kernel does not change one kind into the other in one step either
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._handle, self._how = handle, how
        return True

    def leave(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle, self._how = -1, fcntl.LOCK_UN
