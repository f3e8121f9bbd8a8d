"""One entry of the store: how it is read, how it is written, and when it counts as whole."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import files
from kdbench.nouns import digest, plain

if TYPE_CHECKING:
    import numpy as np

MANIFEST = "manifest.json"
FORMAT = 1
LARGEST_MANIFEST = 16 << 20
LITTLE = 16 << 20
"""Bytes of free space below which any failed write is taken for a full disk."""


class Missing(Exception):
    """No such entry."""


class Damaged(Exception):
    """An entry that does not hold what its manifest promises. `key` says which one must be made again."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(key, why)
        self.key = key
        self.why = why


class Full(Exception):
    """Nothing more can be written to the store. The text is one line with the folder, the cause and the free space."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A complete entry whose files match their checksums."""

    key: str
    path: Path
    manifest: Mapping[str, Any]

    def bytes(self, name: str) -> bytes:
        """The content of one file."""
        return (self.path / name).read_bytes()

    def json(self, name: str) -> Any:
        """The content of a JSON file."""
        return json.loads(self.bytes(name))

    def array(self, name: str) -> np.ndarray:
        """An `.npy` file, memory-mapped read-only, without objects."""
        import numpy as np  # noqa: PLC0415 - listing and planning read the store without numpy

        held: np.ndarray = np.load(self.path / name, mmap_mode="r", allow_pickle=False)
        return held

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """All arrays of an `.npz` file, without objects."""
        import numpy as np  # noqa: PLC0415 - as above

        with np.load(self.path / name, allow_pickle=False) as held:
            return {k: held[k] for k in held.files}

    def names(self) -> tuple[str, ...]:
        """The files of the entry, sorted."""
        return tuple(sorted(self.manifest["files"]))


@dataclass(slots=True)
class Draft:
    """An entry being written. Nothing of it can be seen before `Store.write` ends without an exception."""

    path: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    owner: int = field(default_factory=os.getpid)

    def write(self, name: str, data: bytes) -> None:
        """Write one file and flush it to the disk. Raises ValueError for a name that is not a plain file name."""
        if os.getpid() != self.owner:
            raise RuntimeError("only the process that a job began in may write its entry")
        if not _plain(name):
            raise ValueError(f"{name!r} is not a plain file name")
        with room(self.path.parents[1], certain=True), open(self.path / name, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self.files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def json(self, name: str, value: object) -> None:
        """Write strict JSON: a NaN is an error here rather than a number somewhere else."""
        self.write(name, (json.dumps(plain(value), indent=1, sort_keys=True, allow_nan=False) + "\n").encode())

    def array(self, name: str, value: np.ndarray) -> None:
        """Write an `.npy` file."""
        import numpy as np  # noqa: PLC0415 - see Entry.array

        buffer = io.BytesIO()
        np.save(buffer, value, allow_pickle=False)
        self.write(name, buffer.getvalue())

    def arrays(self, name: str, values: Mapping[str, np.ndarray]) -> None:
        """Write an uncompressed `.npz` file."""
        import numpy as np  # noqa: PLC0415 - see Entry.array

        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **dict(values))
        self.write(name, buffer.getvalue())


@contextlib.contextmanager
def room(root: Path, *, certain: bool = False) -> Iterator[None]:
    """Turn "no space left" (quota, file limit, read-only disk) into Full, where it is the store that cannot be written.

    An error that names a file elsewhere is the job's own, and so is one without a name unless little space is left;
    `certain` says that the block writes to the store and nowhere else.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in files.NO_ROOM:
            raise
        held = os.statvfs(root)
        free = held.f_bavail * held.f_frsize
        ours = str(error.filename).startswith(f"{root}{os.sep}") if error.filename else free < LITTLE
        if not (certain or ours):
            raise
        raise Full(f"cannot write to {root}: {os.strerror(error.errno or 0)} ({free / 2**20:.1f} MiB free)") from error


def seal(draft: Draft, body: Mapping[str, Any]) -> None:
    """Close a draft: its manifest with the seal, files read-only, names flushed. Raises ValueError for a file past the draft."""
    stray = sorted(set(os.listdir(draft.path)) - set(draft.files))
    if stray:
        raise ValueError(f"{stray[0]!r} lies in the entry but was not written through its draft")
    whole = {"format": FORMAT, **body}
    draft.json(MANIFEST, {**whole, "seal": digest(whole)})
    for name in draft.files:
        os.chmod(draft.path / name, 0o444)
    os.chmod(draft.path, 0o755)
    files.sync(draft.path)


def manifest_of(place: Path, key: str) -> Mapping[str, Any]:
    """The manifest of the entry in a folder, where all but the checksums of the files holds. Raises Missing or Damaged."""
    if not os.path.lexists(place):
        raise Missing(key)
    if place.is_symlink():
        raise Damaged(key, "the entry is a link")
    try:
        there = {one.name: one.stat(follow_symlinks=False) for one in os.scandir(place)}
        manifest: dict[str, Any] = json.loads(files.read(place / MANIFEST, LARGEST_MANIFEST))
        _hold(manifest, key)
        for name, facts in manifest["files"].items():
            if name not in there or not stat.S_ISREG(there[name].st_mode):
                raise Damaged(key, f"{name} is not {'there' if name not in there else 'a regular file'}")
            if there[name].st_size != facts["bytes"]:
                raise Damaged(key, f"{name} is cut short or has grown")
        extra = sorted(set(there) - {*manifest["files"], MANIFEST})
    except FileNotFoundError:
        raise Damaged(key, f"{MANIFEST} is not there") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(key, f"{MANIFEST} cannot be read: {type(error).__name__}") from None
    if extra:
        raise Damaged(key, f"{extra[0]!r} does not belong to the entry")
    return manifest


def _hold(manifest: dict[str, Any], key: str) -> None:
    body = {k: v for k, v in manifest.items() if k != "seal"}
    if manifest["seal"] != digest(body) or manifest["format"] != FORMAT:
        raise Damaged(key, f"{MANIFEST} does not match its seal")
    if digest(manifest["job"]) != key:
        raise Damaged(key, f"{MANIFEST} belongs to another entry")


def _plain(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name
