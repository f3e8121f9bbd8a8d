"""Examples on which most students decide otherwise than most teachers."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, Undefined, metric

from ._seed_modes import modal


@metric(
    form="seeds",
    better="lower",
    low=0.0,
    high=1.0,
    axis="bias",
    title="Compression-identified examples",
    equation="1/n sum_i 1[mode over seeds of the student's decision on i != mode over seeds of the teacher's decision on i]",
    source="Hooker et al. 2020 (Characterising bias in compressed models), CIE",
    convention="modal top-1 labels, a tie goes to the lowest class index; undefined below 3 seeds, where every disagreement is a "
    "tie; the paper used 30 models a side, and below about 10 this is a rough count; one teacher is its own mode",
    reads="decisions",
)
def compression_identified(predictions: tuple[Predictions, ...], teacher: tuple[Predictions, ...]) -> np.ndarray:
    """1 where the modal labels differ, (n,)."""
    if len(predictions) < 3:
        raise Undefined(f"{len(predictions)} models with seeds of their own: a modal label needs at least 3")
    return np.asarray((modal(predictions) != modal(teacher)).astype(np.float64))


def doubt(predictions: tuple[Predictions, ...], teacher: tuple[Predictions, ...]) -> str:
    """Why the number is rough: few seeds."""
    few = len(predictions) < 10
    return f"modal labels of {len(predictions)} seeds, of the teacher {len(teacher)}: the paper used 30 of each" if few else ""
