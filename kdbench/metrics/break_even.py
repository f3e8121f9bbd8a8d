"""After how many predictions a student has paid back, in CPU time, what it took to make it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench import NotApplicable, Undefined, metric

from ._paid_back import cost_of, surely_cheaper


@metric(
    form="measured",
    better="lower",
    unit="predictions",
    low=0.0,
    axis="cost",
    title="Break-even",
    equation="CPU seconds of making the student / (CPU seconds of a teacher's prediction - CPU seconds of a student's)",
    source="payback period of an investment; kdbench for models",
    convention="against serving the teacher, which is there already; CPU time, means over all timed calls; training counts all "
    "its cores; interval by bootstrap over blocks",
    reads="decisions",
)
def break_even(
    cost: Mapping[str, Any],
    latency: Mapping[str, Any],
    teacher_cost: Mapping[str, Any] | None = None,
    null: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """CPU seconds of making it, and of a prediction in each block: the teacher's and the student's, (blocks, 3). null: asked for
    because what it tells of the teacher holds here too. Undefined for what runs on another machine or on a device.
    """
    ran = latency.get("facts", {}).get("contender", {})
    if ran.get("host") or ran.get("device") or "CUDA" in str(ran.get("provider")):
        raise Undefined("CPU seconds of making it here are not those of predicting on another machine or device")
    if latency.get("null"):
        raise NotApplicable("it runs the same graph as the teacher: there is nothing to save")
    rows = float(latency.get("batch", 1))
    teacher, student = (latency[f"cpu_{role}"].mean(axis=1) / rows for role in ("reference", "contender"))
    whole = cost_of(cost, teacher_cost, "cpu_seconds")
    surely_cheaper(teacher - student, "CPU seconds")
    return np.stack([np.full_like(teacher, whole), teacher, student], axis=1)


def finish(blocks: np.ndarray) -> np.ndarray:
    """The cost over the mean saving, (..., blocks, 3) -> (...); NaN where nothing is saved."""
    cost, teacher, student = np.moveaxis(blocks.mean(axis=-2), -1, 0)
    saved = teacher - student
    return np.asarray(np.divide(cost, saved, out=np.full(np.shape(saved), np.nan), where=saved > 0))
