"""The few things that the store asks of the file system: regular files only, flushed to the disk, removed as a whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""Errors that say that nothing more can be written here, whichever job tries."""


class NotRegular(OSError):
    """A link, pipe, device or folder lies where a regular file belongs."""


@contextlib.contextmanager
def regular(path: Path) -> Iterator[int]:
    """A descriptor of a regular file, opened without following a link and without waiting for the other end of a pipe."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotRegular(error.errno, "is a link", str(path)) from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotRegular(errno.EINVAL, "is not a regular file", str(path))
        yield handle
    finally:
        os.close(handle)


def read(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; a larger one is an OSError, found before it is read."""
    with regular(path) as handle:
        size = os.fstat(handle).st_size
        if size > limit:
            raise OSError(errno.EFBIG, "is too large", str(path))
        with open(handle, "rb", closefd=False) as file:
            return file.read(limit + 1)


def sha256(path: Path) -> str:
    """The checksum of a regular file, as 64 hex digits."""
    with regular(path) as handle, open(handle, "rb", closefd=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace(path: Path, data: bytes) -> None:
    """Write beside, flush, rename: a reader sees the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def parse(line: bytes) -> dict[str, Any] | None:
    """The JSON object on a line; None where it is none."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def sync(folder: Path) -> None:
    """Flush a folder's list of names, so that a rename in it survives a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove whatever lies at a path: a tree (also one whose folders lost their modes), a file or a link (never its target)."""

    def again(function: Callable[..., Any], name: str, _error: object) -> None:
        with contextlib.suppress(OSError):
            os.chmod(Path(name).parent, 0o700)
            os.chmod(name, 0o700)
            if function in (os.unlink, os.rmdir):
                function(name)
            else:
                shutil.rmtree(name, ignore_errors=True)

    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(path, onerror=again)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)


def born(pid: int | str) -> str:
    """When a process started (clock ticks after boot), "" when it is gone: tells a process from a later one with its number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
