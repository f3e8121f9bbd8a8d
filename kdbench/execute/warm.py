"""What the fork server imports before the first job, so that a job starts in milliseconds."""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from kdbench.nouns import Job, Refusal
from kdbench.registry import discover
from kdbench.stages import STAGES

HEAVY = ("numpy", "torch", "onnxruntime")
"""In this order: torch brings its own threads and must find numpy's set."""


def choose(jobs: Iterable[Job], package: str, folders: Sequence[Path]) -> list[str]:
    """Modules worth importing for these jobs: their stages, torch where one runs it, ONNX Runtime where a target needs it."""
    pending = list(jobs)
    stages = sorted({job.stage for job in pending})
    own = package == "kdbench.stages"
    wanted = {name for name in HEAVY if own and any(f"{name} " in job.runtime for job in pending)}
    if "onnxruntime" in wanted and not _targets_need(pending, folders, "onnxruntime"):
        wanted.discard("onnxruntime")
    if own:
        wanted.add("numpy")
    return [name for name in HEAVY if name in wanted] + [f"{package}.{stage}" for stage in stages]


def heat(names: Sequence[str]) -> None:
    """Import them. What cannot be imported is left to the job that needs it, which will say why.

    A stage module may name more modules in `WARM`, of packages that are wanted anyway. Objects are frozen, so that the
    collector of a child does not copy the server's memory page by page.
    """
    for name in names:
        with contextlib.suppress(Exception):
            module = importlib.import_module(name)
            for more in getattr(module, "WARM", ()):
                if more.partition(".")[0] in sys.modules:
                    with contextlib.suppress(Exception):
                        importlib.import_module(more)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    gc.collect()
    gc.freeze()


def versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    found = {}
    for name in sorted(names):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def packages(jobs: Iterable[Job]) -> list[str]:
    """The packages whose versions belong in the manifests of these jobs."""
    return sorted({"kdbench", "numpy", *(name for job in jobs if job.stage in STAGES for name in STAGES[job.stage].runtime)})


def _targets_need(jobs: Iterable[Job], folders: Sequence[Path], package: str) -> bool:
    """Whether a target or compressor of these jobs declares the package, or gives what only it runs."""
    if importlib.util.find_spec(package) is None:
        return False
    plugins = discover(folders)
    seen = set()
    for job in jobs:
        for kind in ("target", "compressor"):
            use = job.spec.get(kind)
            if isinstance(use, dict) and isinstance(use.get("name"), str):
                seen.add((kind, str(use["name"])))
    for kind, name in sorted(seen):
        with contextlib.suppress(Refusal):
            facts = plugins.get(kind, name).facts
            if package in facts.get("needs", ()) or facts.get("gives") == "onnx":
                return True
    return False
