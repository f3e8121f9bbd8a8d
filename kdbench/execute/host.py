"""What this machine is, from a fixed list of facts: nothing here names a user, a path or the machine itself."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from pathlib import Path

from kdbench.nouns import Json
from kdbench.stages.host import fingerprint


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of memory that this process may use: the machine's, or less where its control group has a limit."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = _text(name).strip()
        if text.isdigit():
            found.append(int(text))
    return min(found)


@cache
def facts() -> dict[str, Json]:
    """What timings depend on (see `kdbench.stages.host`), the kernel, and `id`: a hash that tells machines apart."""
    return {"id": _identity(), "kernel": platform.release(), **fingerprint()}


def _identity() -> str:
    """Hashed, so that the name of the machine stays here."""
    seed = _text("/etc/machine-id").strip() or platform.node()
    return hashlib.sha256(f"kdbench host {seed} {fingerprint()['cpu']}".encode()).hexdigest()[:16]


def _text(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
