"""After how many predictions a student has paid back, in energy, what it took to make it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench import Undefined, metric

from ._net_energy import net
from ._paid_back import cost_of, surely_cheaper


@metric(
    form="measured",
    better="lower",
    unit="predictions",
    low=0.0,
    axis="cost",
    title="Break-even in energy",
    equation="joules of making the student / (joules of a teacher's prediction - joules of a student's)",
    source="payback period of an investment; kdbench for models",
    convention="against serving the teacher, which is there already; by the machine's meters; idle power is in the energy of the "
    "training and subtracted from that of the predictions; interval by bootstrap over windows",
    reads="decisions",
)
def break_even_energy(
    cost: Mapping[str, Any],
    energy: Mapping[str, Any],
    teacher_energy: Mapping[str, Any] | None = None,
    teacher_cost: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """Joules of making it, and of a prediction in each window: the teacher's and the student's, (windows, 3)."""
    if teacher_energy is None:
        raise Undefined("the energy of the teacher's predictions was not measured here")
    (student, rows), (teacher, others) = net(energy), net(teacher_energy)
    windows = min(len(rows), len(others))
    held = teacher[:windows] / others[:windows], student[:windows] / rows[:windows]
    whole = cost_of(cost, teacher_cost, "joules")
    surely_cheaper(held[0] - held[1], "joules")
    return np.stack([np.full(windows, whole), *held], axis=1)


def finish(blocks: np.ndarray) -> np.ndarray:
    """The cost over the mean saving, (..., windows, 3) -> (...); NaN where nothing is saved."""
    cost, teacher, student = np.moveaxis(blocks.mean(axis=-2), -1, 0)
    saved = teacher - student
    return np.asarray(np.divide(cost, saved, out=np.full(np.shape(saved), np.nan), where=saved > 0))
