"""The evidence store: key -> folder, content-addressed, written beside and renamed, checked whenever it is read.

    .kdbench/store/<2 hex>/<key>/            files and manifest.json (its checksums, and what made it)
    .kdbench/tmp/<pid>-<birth>-<random>/     entries being written; left behind only by a crash
    .kdbench/failures/<key>.json             why a job failed last time
    .kdbench/partial/<key>/                  the mutable state of a running fit

An entry counts only when its manifest is there, is sealed, names this key, and the folder holds exactly the regular files
that it lists, each in full.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from kdbench import files
from kdbench.entry import FORMAT, MANIFEST, Damaged, Draft, Entry, Full, Missing, manifest_of, room, seal
from kdbench.nouns import Job, Json, canonical

__all__ = ["FORMAT", "MANIFEST", "Damaged", "Draft", "Entry", "Full", "Missing", "Store"]


class Store:
    """The entries below one folder. Several processes may write at once: the first complete entry of a key stays."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, key: str) -> Path:
        """Where the entry of a key lies, whether or not it is there."""
        return self.root / "store" / key[:2] / key

    def partial(self, key: str) -> Path:
        """A folder for the mutable state of a running job; removed by `write` when the job is done."""
        return self.root / "partial" / key

    def keys(self) -> Iterator[str]:
        """The key of every entry, complete or not, sorted."""
        yield from sorted(place.name for place in (self.root / "store").glob("??/*"))

    def has(self, key: str) -> bool:
        """Whether a sealed manifest names this key and its files are there in their length. Checksums wait for `open`."""
        try:
            manifest_of(self.place(key), key)
        except (Missing, Damaged):
            return False
        return True

    def open(self, key: str) -> Entry:
        """The entry, every file checked. Raises Missing or Damaged."""
        place = self.place(key)
        manifest = manifest_of(place, key)
        for name, facts in manifest["files"].items():
            try:
                found = files.sha256(place / name)
            except OSError as error:
                raise Damaged(key, f"{name} {error.strerror or 'cannot be read'}") from None
            if found != facts["sha256"]:
                raise Damaged(key, f"{name} does not match its checksum")
        return Entry(key, place, manifest)

    @contextlib.contextmanager
    def write(self, job: Job, made: Mapping[str, Json] | None = None) -> Iterator[Draft]:
        """Write the entry of a job: all of it, or nothing. Raises Full when the disk does not take it.

        `made` (host, versions; filled until the block ends) goes into the manifest.
        """
        key = job.key
        beside, owner = self._beside(), os.getpid()
        try:
            with room(self.root, certain=True):
                beside.mkdir(parents=True)
            draft = Draft(beside)
            with room(self.root):
                yield draft
            with room(self.root, certain=True):
                seal(draft, {"job": job.identity(), "label": job.label, "files": draft.files, "made": dict(made or {})})
                self._settle(beside, key)
        finally:
            if os.getpid() == owner:  # and not a copy that was forked within the block
                files.remove(beside)
        files.remove(self.partial(key))
        self.forget_failure(key)

    def drop(self, key: str) -> None:
        """Remove an entry, so that it is made again. It vanishes at once, whatever lies in its place."""
        beside = self._beside()
        beside.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.place(key), beside)
        files.remove(beside)

    def fail(self, key: str, reason: str, log: str = "") -> None:
        """Remember why a job failed, for the board; not evidence."""
        place = self.root / "failures" / f"{key}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        files.replace(place, canonical({"reason": reason, "log": log}).encode())

    def failure(self, key: str) -> str:
        """Why the job failed last time; "" if it did not."""
        return self._failure(key, "reason")

    def log(self, key: str) -> str:
        """The last lines that the job wrote before it failed; "" if it did not fail."""
        return self._failure(key, "log")

    def forget_failure(self, key: str) -> None:
        """The job has succeeded or is no longer asked for."""
        (self.root / "failures" / f"{key}.json").unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what crashed writers left behind; their process is gone (or its number belongs to a younger one)."""
        for folder in (self.root / "tmp").glob("*-*-*"):
            pid, birth, _ = folder.name.split("-", 2)
            if not birth or files.born(pid) != birth:
                files.remove(folder)
        for half in (self.root / "failures").glob(".*-*"):
            if not files.born(half.name.rpartition("-")[2]):
                files.remove(half)

    def _beside(self) -> Path:
        return self.root / "tmp" / f"{os.getpid()}-{files.born(os.getpid())}-{secrets.token_hex(6)}"

    def _failure(self, key: str, name: str) -> str:
        try:
            return str(json.loads((self.root / "failures" / f"{key}.json").read_text(encoding="utf-8"))[name])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _settle(self, beside: Path, key: str) -> None:
        place = self.place(key)
        if not place.parent.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            files.sync(place.parent.parent)
        if os.path.lexists(place) and not self.has(key):
            self.drop(key)
        try:
            os.rename(beside, place)
        except OSError as error:
            if error.errno in files.NO_ROOM or not self.has(key):  # someone else's complete entry is as good as ours
                raise
        files.sync(place.parent)
