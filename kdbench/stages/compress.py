"""Stage compress: a smaller or cheaper artefact from the one before."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench.nouns import Artefact, Job, Json, Refusal
from kdbench.registry import given
from kdbench.stages import Place, artefacts, samples
from kdbench.stages.energy import Spent
from kdbench.stages.seeds import stream
from kdbench.store import Draft, Entry

CALIBRATION = 256
"""Examples for a compressor that calibrates and has no parameter `calibration`."""


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads data and artefact; writes the new artefact and the record of its cost, chained to the steps before."""
    spec: dict[str, Any] = dict(job.spec)
    use = spec["compressor"]
    plugin, _ = place.plugins.load("compressor", use["name"])
    before = artefacts.read(inputs["artefact"], place.plugins)
    accepts = plugin.facts.get("accepts", ("torch",))
    if before.runtime not in accepts:
        raise Refusal(f"{use['name']} compresses {' and '.join(accepts)} artefacts; this one is {before.runtime}")
    described = place.plugins.get("compressor", use["name"])
    asked = use["params"].get("calibration", CALIBRATION) if "examples" in described.evidence else 0
    rows = examples(inputs["data"], asked, spec["seed"]) if asked else {}
    spent = Spent()
    wall, cpu = time.perf_counter(), time.process_time()
    after = plugin(**given(described, {"artefact": before, "examples": rows}), **copy.deepcopy(dict(use["params"])))
    cost: dict[str, Json] = {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "energy": spent.record(),
    }
    _check(after, plugin.facts.get("gives", "torch"), use["name"])
    used = len(next(iter(rows.values()))) if rows else 0
    record = {**_record(used), **cost, "notes": _notes(use["name"], asked, used)}
    artefacts.write(draft, after, artefacts.chained(record, inputs["artefact"]))


def examples(data: Entry, n: int, seed: int) -> dict[str, np.ndarray]:
    """Some rows of the training split (n, or all of fewer), {input: array}: chosen by the seed alone, in their stored order.

    Validation and test rows are never among them.
    """
    rows = samples.read(data, "train")
    held = len(rows.y)
    rng = np.random.default_rng(stream(seed, "calibration"))
    chosen = np.sort(rng.choice(held, size=min(n, held), replace=False))
    return {name: np.ascontiguousarray(x[chosen]) for name, x in rows.x.items()}


def _record(examples: int) -> dict[str, Json]:
    return {
        "examples": examples,
        "epochs": 0,
        "steps": 0,
        "teacher_passes": 0,
        "history": [],
        "selected_epoch": None,
        "parity": {},
    }


def _notes(name: str, asked: int, used: int) -> list[Json]:
    return [f"{name}: {asked} calibration rows were asked for, the training split has {used}"] if used < asked else []


def _check(after: Any, gives: str, name: str) -> None:
    if not isinstance(after, Artefact) or after.runtime != gives:
        found = after.runtime if isinstance(after, Artefact) else type(after).__name__
        raise Refusal(f"compressor {name!r} says that it gives {gives}, but gave {found}")
