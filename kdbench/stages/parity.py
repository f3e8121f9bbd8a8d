"""Stage parity: whether a target says what eager torch says."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from kdbench.nouns import Job, Refusal
from kdbench.stages import Place, artefacts, running, samples
from kdbench.store import Draft, Entry

TOLERANCE = 1e-3
"""Largest difference of a float export, relative to the row's largest logit."""

CHUNK = 256


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads data and a torch artefact; writes parity.json over the whole test split, so that narrow decisions are among it."""
    spec: dict[str, Any] = dict(job.spec)
    rows = samples.read(inputs["data"], "test")
    artefact = artefacts.read(inputs["artefact"], place.plugins)
    if artefact.runtime != "torch":
        raise Refusal(f"{artefact.runtime} artefacts have no eager twin to compare with")
    runner = running.reopened(inputs["artefact"], spec["target"], place, running.first_rows(rows.x, 2))
    there = running.answers(runner, rows.x, artefact.shape.classes)
    draft.json("parity.json", compare(eager(artefact.module, rows.x), there, rows.ids))


def eager(module: nn.Module, x: Mapping[str, np.ndarray]) -> np.ndarray:
    """Logits (n, classes) of the network as it is, in float32 and plain memory layout; the network is not changed."""
    net = copy.deepcopy(module).eval()
    rows = [torch.from_numpy(np.array(values)) for values in x.values()]
    with torch.inference_mode():
        parts = [net(*(r[i : i + CHUNK] for r in rows)).float().numpy() for i in range(0, len(rows[0]), CHUNK)]
    return np.concatenate(parts)


def compare(here: np.ndarray, there: np.ndarray, ids: np.ndarray) -> dict[str, Any]:
    """Differences of logits (n, classes) `there` to `here` (eager).

    max_abs: largest absolute difference; max_rel: the largest one relative to the row's largest absolute logit here; flips:
    rows whose decision differs; flips_beyond: those of them whose margin here (best logit less second best) is more than the
    tolerance, relative as above, so that rounding does not explain them. passed: max_rel within the tolerance, and no such flip.
    """
    scale = np.maximum(np.abs(here).max(axis=1), 1e-6).astype(np.float64)
    gap = np.abs(there.astype(np.float64) - here).max(axis=1)
    flipped = here.argmax(axis=1) != there.argmax(axis=1)
    top = np.sort(here, axis=1)[:, -2:].astype(np.float64)
    margin = top[:, -1] - top[:, 0]
    beyond = flipped & (margin > TOLERANCE * scale)
    max_rel = float((gap / scale).max())
    return {
        "n": len(here),
        "max_abs": float(gap.max()),
        "max_rel": max_rel,
        "flips": int(flipped.sum()),
        "flips_beyond": int(beyond.sum()),
        "flip_ids": [str(i) for i in ids[flipped][:20]],
        "tolerance": TOLERANCE,
        "passed": bool(max_rel <= TOLERANCE and not beyond.any()),
    }
