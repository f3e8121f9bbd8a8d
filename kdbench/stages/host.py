"""What a timing depends on, as a machine may tell it without saying whose it is. Standard library only: for the planner."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from pathlib import Path

from kdbench.nouns import Json

_ISA = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16", "asimddp", "i8mm", "sve", "bf16")


@lru_cache(maxsize=1)
def fingerprint() -> dict[str, Json]:
    """The host as plain data: processor, its vector units that matter here, cores, those this process may use, memory in
    GiB, system and architecture. No host or user name, no path, no serial number. "" where the system does not say.
    """
    cpu = _cpuinfo()
    flags = set(cpu.get("flags", cpu.get("Features", "")).split())
    return {
        "cpu": cpu.get("model name", "") or platform.processor(),
        "isa": [name for name in _ISA if name in flags],
        "cores": os.cpu_count() or 0,
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "memory_gib": _memory_gib(),
        "os": platform.system(),
        "arch": platform.machine(),
    }


def _cpuinfo() -> dict[str, str]:
    """The first processor's lines of /proc/cpuinfo."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _memory_gib() -> int:
    """Rounded: a few megabytes come and go with the kernel."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError, AttributeError):
        return 0
