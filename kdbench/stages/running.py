"""Open an artefact on a target: what predict, parity, latency and memory share."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kdbench.nouns import Artefact, Refusal, Runner, canonical
from kdbench.registry import given
from kdbench.stages import Place, artefacts
from kdbench.store import Entry

_LATEST: dict[tuple[str, str], Runner] = {}
"""The runner opened last, by artefact and target: a process that predicts on twenty shifted sets exports its network once."""


def open_runner(artefact: Artefact, use: Mapping[str, Any], place: Place, example: Mapping[str, np.ndarray]) -> Runner:
    """The artefact on the target of `use` {name, params}. Raises Refusal where the target does not run this runtime."""
    plugin, _ = place.plugins.load("target", use["name"])
    accepts = plugin.facts["accepts"]
    if artefact.runtime not in accepts:
        raise Refusal(f"{use['name']} runs {' and '.join(accepts)} artefacts; this one is {artefact.runtime}")
    evidence = given(place.plugins.get("target", use["name"]), {"artefact": artefact, "example": example})
    runner = plugin(**evidence, **copy.deepcopy(dict(use["params"])))
    if not isinstance(runner, Runner):
        raise Refusal(f"target {use['name']!r} gave {type(runner).__name__}, not a Runner")
    return runner


def reopened(entry: Entry, use: Mapping[str, Any], place: Place, example: Mapping[str, np.ndarray]) -> Runner:
    """As `open_runner` for the artefact of an entry, kept for the next job of this process that asks for the same."""
    key = (entry.key, canonical(use))
    if key not in _LATEST:
        runner = open_runner(artefacts.read(entry, place.plugins), use, place, example)
        _LATEST.clear()
        _LATEST[key] = runner
    return _LATEST[key]


def first_rows(x: Mapping[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    """The first n rows; where there are fewer, they are repeated from the start."""
    held = len(next(iter(x.values())))
    if not held:
        raise Refusal("no rows to run the model on: the split is empty")
    return {name: np.ascontiguousarray(values[np.arange(n) % held]) for name, values in x.items()}


def answers(runner: Runner, x: Mapping[str, np.ndarray], classes: int) -> np.ndarray:
    """Logits float32 (n, classes) of all rows. Raises Refusal for another shape and for numbers that are not finite."""
    n = len(next(iter(x.values())))
    logits = np.asarray(runner.predict(x), dtype=np.float32)
    if logits.shape != (n, classes):
        raise Refusal(f"invalid output: logits of shape {logits.shape}, expected {(n, classes)}")
    broken = int((~np.isfinite(logits)).any(axis=1).sum())
    if broken:
        raise Refusal(f"invalid output: {broken} of {n} rows are not finite")
    return logits


def lay(runner: Runner, folder: Path) -> dict[str, str]:
    """Write the runner's bundle into a new folder. Gives {"folder", "loader"} as the timing script asks for."""
    if runner.bundle is None:
        raise Refusal("this target cannot be timed: its runner has no bundle")
    folder.mkdir(parents=True)
    for name, data in runner.bundle.files.items():
        (folder / name).write_bytes(data)
    return {"folder": str(folder), "loader": str(runner.bundle.loader)}
