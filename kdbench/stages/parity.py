"""Stage parity: whether a target says what eager torch says, and if not, where it begins."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from kdbench.nets.inside import inner_values
from kdbench.nouns import IGNORED, Artefact, Job, Refusal, Runner
from kdbench.stages import Place, artefacts, running, samples
from kdbench.store import Draft, Entry

TOLERANCE = 1e-3
"""Largest difference of a float32 export, relative to the row's largest logit. A target of lower precision says its own."""

CHUNK = 256
LARGEST = 2**24
"""Logits over a vocabulary that are compared at most."""
NARROW = 32
"""Rows whose decision is the closest: the first to flip."""
FEW = 4
"""Rows on which inner values are compared: those that differ most."""


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads data and a torch artefact; writes parity.json over the whole test split, so that narrow decisions are among it."""
    spec: dict[str, Any] = dict(job.spec)
    rows = samples.read(inputs["data"], "test")
    artefact = artefacts.read(inputs["artefact"], place.plugins)
    if artefact.runtime != "torch":
        raise Refusal(f"{artefact.runtime} artefacts have no eager twin to compare with")
    runner = running.reopened(inputs["artefact"], spec["target"], place, running.first_rows(rows.x, 2))
    if artefact.shape.answer in ("next", "text"):
        draft.json("parity.json", _of_tokens(artefact, runner, rows))
        return
    there = running.answers(runner, rows.x, artefact.shape)
    draft.json("parity.json", check(artefact.module, runner, rows.x, there, rows.ids))


def _of_tokens(artefact: Artefact, runner: Runner, rows: samples.Rows) -> dict[str, Any]:
    """As `check`, over the tokens that are asked for, in as many rows as `LARGEST` logits allow; an id says row and place."""
    most = max(1, LARGEST // (rows.y.shape[1] * max(1, artefact.shape.classes)))
    few = rows.take(np.arange(min(most, len(rows.y))))
    asked = few.y != IGNORED
    whole, said = eager(artefact.module, few.x), np.asarray(runner.predict(few.x), np.float32)
    if said.shape != whole.shape:  # one number a token would be broadcast over the vocabulary
        raise Refusal(f"invalid output: logits of shape {said.shape}, expected {whole.shape} (rows, tokens, vocabulary)")
    here, there = whole[asked], said[asked]
    ids = np.array([f"{few.ids[row]}@{place}" for row, place in np.argwhere(asked)])
    facts: Mapping[str, Any] = runner.facts
    found = compare(here, there, ids, float(facts.get("tolerance", TOLERANCE)))
    return {**found, "tolerance_reason": str(facts.get("tolerance_reason", ""))}


def check(module: nn.Module, runner: Runner, x: Mapping[str, np.ndarray], there: np.ndarray, ids: np.ndarray) -> dict[str, Any]:
    """`compare` of a network with logits `there` that a runner of it gave, within the runner's tolerance.

    Where the check fails, `first_divergence` is what `first_divergence` finds on the rows that differ most.
    """
    here = eager(module, x)
    facts: Mapping[str, Any] = runner.facts
    found = compare(here, there, ids, float(facts.get("tolerance", TOLERANCE)))
    found["tolerance_reason"] = str(facts.get("tolerance_reason", ""))
    if not found["passed"]:
        worst = np.argsort(-np.abs(there - here).max(axis=1), kind="stable")[:FEW]
        few = {name: np.ascontiguousarray(values[worst]) for name, values in x.items()}
        found["first_divergence"] = _divergence(module, runner, few, found["tolerance"])
    return found


def eager(module: nn.Module, x: Mapping[str, np.ndarray]) -> np.ndarray:
    """Logits (n, classes) of the network as it is, in float32 and plain memory layout; the network is not changed."""
    net = copy.deepcopy(module).eval()
    rows = [torch.from_numpy(np.array(values)) for values in x.values()]
    with torch.inference_mode():
        parts = [net(*(r[i : i + CHUNK] for r in rows)).float().numpy() for i in range(0, len(rows[0]), CHUNK)]
    return np.concatenate(parts)


def compare(here: np.ndarray, there: np.ndarray, ids: np.ndarray, tolerance: float = TOLERANCE) -> dict[str, Any]:
    """Differences of logits (n, classes) `there` to `here` (eager).

    max_abs: largest absolute difference; max_rel: the largest one relative to the row's largest absolute logit here; flips:
    rows whose decision differs; flips_beyond: those of them whose margin here (best logit less second best) is more than the
    tolerance, relative as above, so that rounding does not explain them. narrow_*: the same over the 32 rows with the smallest
    relative margin. passed: max_rel within the tolerance, and no such flip.
    """
    scale = np.maximum(np.abs(here).max(axis=1), 1e-6).astype(np.float64)
    gap = np.abs(there.astype(np.float64) - here).max(axis=1)
    flipped = here.argmax(axis=1) != there.argmax(axis=1)
    top = np.sort(here, axis=1)[:, -2:].astype(np.float64)
    margin = (top[:, -1] - top[:, 0]) / scale
    beyond = flipped & (margin > tolerance)
    narrow = np.argsort(margin, kind="stable")[:NARROW]
    max_rel = float((gap / scale).max())
    return {
        "n": len(here),
        "max_abs": float(gap.max()),
        "max_rel": max_rel,
        "flips": int(flipped.sum()),
        "flips_beyond": int(beyond.sum()),
        "flip_ids": [str(i) for i in ids[flipped][:20]],
        "narrow_n": len(narrow),
        "narrow_margin": float(margin[narrow].max()),
        "narrow_max_abs": float(gap[narrow].max()),
        "narrow_max_rel": float((gap / scale)[narrow].max()),
        "narrow_flips": int(flipped[narrow].sum()),
        "tolerance": tolerance,
        "passed": bool(max_rel <= tolerance and not beyond.any()),
    }


def _divergence(module: nn.Module, runner: Runner, x: Mapping[str, np.ndarray], tolerance: float) -> dict[str, Any]:
    if runner.inside is None:
        return {"module": None, "reason": "this target does not show its inner values"}
    net = copy.deepcopy(module).eval()
    rows = [torch.from_numpy(np.array(values)) for values in x.values()]
    with torch.inference_mode():
        here = inner_values(net, lambda: net(*rows))
    try:
        there = runner.inside(x)
    except Exception as error:  # the target's own code, after the check has failed already
        return {"module": None, "reason": f"its inner values cannot be had: {type(error).__name__}: {error}"[:300]}
    return first_divergence(here, there, tolerance)


def first_divergence(here: Mapping[str, np.ndarray], there: Mapping[str, np.ndarray], tolerance: float) -> dict[str, Any]:
    """The first module, in eager's order of execution, whose value `there` differs by more than the tolerance: {module,
    difference}, relative to the largest value of the module here; or {module: None, reason}.

    An exporter folds modules into the one before them (a batch norm into its convolution): where modules that follow have no
    value of their own there, a value that agrees with one of theirs agrees.
    """
    largest, at = 0.0, ""
    paths = list(here)
    for place, path in enumerate(paths):
        if path not in there:
            continue
        folded = paths[place : next((i for i in range(place + 1, len(paths)) if paths[i] in there), len(paths))]
        gaps = [_gap(here[one], there[path]) for one in folded if here[one].shape == there[path].shape]
        if not gaps:
            continue
        if not min(gaps) <= tolerance:
            return {"module": path, "difference": min(gaps)}
        if min(gaps) >= largest:
            largest, at = min(gaps), path
    if not at:
        return {"module": None, "reason": "no inner value of the export can be told by a module's name"}
    reason = f"all inner values that can be compared agree; {at} differs most, by {largest:.2g}"
    return {"module": None, "reason": reason}


def _gap(here: np.ndarray, there: np.ndarray) -> float:
    scale = max(float(np.abs(here).max(initial=0.0)), 1e-6)
    gap = float(np.abs(there.astype(np.float64) - here).max(initial=0.0)) / scale
    return gap if np.isfinite(gap) else float("inf")
