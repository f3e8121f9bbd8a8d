"""What it costs to ask kdbench for help: CPU time of the whole process, beside a bare Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import pytest

LIMIT = 8.0


def cpu_seconds(words: Sequence[str]) -> float:
    """User and system time of `python <words>`, from the kernel's account of that child."""
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(sys.executable, [sys.executable, *words], os.environ, file_actions=silent)
    _, status, used = os.wait4(child, 0)
    assert status == 0
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("words", [("-m", "kdbench", "--help"), ("-m", "kdbench", "list")], ids=["help", "list"])
def test_start(benchmark, words):
    """Wall time is what the table shows; the CPU ratio (least of 20, taken in turns) is in `extra_info` and must hold."""
    times = [(cpu_seconds(words), cpu_seconds(("-c", "pass"))) for _ in range(20 if benchmark.enabled else 1)]
    asked, bare = (min(column) for column in zip(*times, strict=True))
    benchmark.extra_info["cpu_seconds"] = asked
    benchmark.extra_info["cpu_ratio_to_bare_python"] = asked / bare
    benchmark.pedantic(cpu_seconds, args=(words,), rounds=5)
    print(f"{' '.join(words)}: {asked:.3f} CPU-s, {asked / bare:.1f} x a bare python")
    assert not benchmark.enabled or asked / bare <= LIMIT
