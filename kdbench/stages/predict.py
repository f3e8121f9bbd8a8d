"""Stage predict: what an artefact says on a target about every row of a split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench.nouns import Job
from kdbench.stages import Place, running, samples
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads data and artefact; writes predictions.npz (see `derived`) and predictions.json {n, split, target}.

    Fails, rather than scoring nonsense, where logits are not finite or not (n, classes).
    """
    spec: dict[str, Any] = dict(job.spec)
    rows = samples.read(inputs["data"], spec["split"])
    example = running.first_rows(rows.x, 2)
    runner = running.reopened(inputs["artefact"], spec["target"], place, example)
    classes = samples.shape(inputs["data"]).classes
    logits = running.answers(runner, rows.x, classes)
    draft.arrays("predictions.npz", {"ids": rows.ids.astype(np.str_), **derived(logits, rows.y)})
    draft.json(
        "predictions.json",
        {"n": len(logits), "split": spec["split"], "target": {**spec["target"], "facts": dict(runner.facts)}},
    )


def derived(logits: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """The stored columns: label and pred int64 (n,), logits float32 (n, classes), confidence float32 (n,), correct bool (n,).

    pred is the largest logit, the first one where several are equal. confidence is its probability, by a softmax in
    float64. A label of -1 (no label: examples from elsewhere) is never correct.
    """
    pred = logits.argmax(axis=1)
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    confidence = 1.0 / np.exp(wide).sum(axis=1)  # the largest logit is now 0
    label = label.astype(np.int64)
    return {
        "label": label,
        "logits": logits,
        "pred": pred.astype(np.int64),
        "confidence": confidence.astype(np.float32),
        "correct": pred == label,
    }
