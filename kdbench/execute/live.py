"""A batch that runs, as the server sees it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Live:
    """A batch that runs. current: the job it is at, "" before the first and between two; dying: why it is being ended."""

    number: int
    pid: int
    end: int
    status: int
    output: int
    folder: Path
    first: str
    deadline: float
    current: str = ""
    started: bool = False
    dying: str = ""
    kill_at: float = float("inf")
    lines: bytes = b""
    log: bytes = b""


def pipes(count: int) -> list[tuple[int, int]]:
    """So many pipes, (read, write) each; all of them or none."""
    made: list[tuple[int, int]] = []
    try:
        for _ in range(count):
            made.append(os.pipe())
    except OSError:
        close(handle for pair in made for handle in pair)
        raise
    return made


def close(handles: Iterable[int]) -> None:
    """Close descriptors, the closed ones among them too."""
    for handle in set(handles):
        with contextlib.suppress(OSError):
            os.close(handle)
