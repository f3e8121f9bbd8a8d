"""The files of the tasks that come with lm-eval, found by name without importing it: a plan asks for them, too."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from kdbench.nouns import Refusal
from kdbench.registry import nearest


@cache
def stock(name: str) -> Path:
    """The file of a task. Read as text, in a second; lm-eval's own index of all files takes twenty."""
    if not re.fullmatch(r"[\w.+-]+", name):
        raise Refusal(f"no task of lm-eval is named {name[:60]!r} (allowed: letters, digits, '_', '-', '.')")
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        raise Refusal("the package 'lm_eval' is not installed")
    root = Path(next(iter(spec.submodule_search_locations))) / "tasks"
    wanted = re.compile(rb"^(task|group):[ \t]*[\"']?" + re.escape(name.encode()) + rb"[\"']?[ \t]*\r?$", re.MULTILINE)
    found: dict[bytes, Path] = {}
    for path in sorted(root.rglob("*.yaml")):
        match = wanted.search(path.read_bytes())
        if match:
            found.setdefault(match[1], path)
    if b"task" in found:
        return found[b"task"]
    close = [p.stem for p in root.rglob(f"*{name[:4]}*.yaml")][:200]
    raise Refusal(
        f"{name} is a group of tasks of lm-eval; name its tasks" if found else f"lm-eval has no task {name!r}{near(name, close)}"
    )


def near(name: str, names: Sequence[str]) -> str:
    """The nearest name, without the list of all."""
    return nearest(name, names).partition(" (allowed")[0]
