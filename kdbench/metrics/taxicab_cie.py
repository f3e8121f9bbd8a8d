"""How far the decisions of students and of teachers are apart, as counts over seeds."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._seed_modes import votes

CELLS = 4_000_000
"""Examples x classes that are counted at once."""


@metric(
    form="seeds",
    better="lower",
    unit="score",
    low=0.0,
    high=2.0,
    axis="bias",
    title="Taxicab CIE",
    equation="1/n sum_i sum_k |students that say k on i / students - teachers that say k on i / teachers|",
    source="Hooker et al. 2020 (Characterising bias in compressed models), Taxicab CIE",
    convention="L1 distance of the counts of top-1 labels, each divided by its number of models (the paper's are of 30 each, not "
    "divided): in [0, 2], with one model a side twice the churn; needs no mode",
    reads="decisions",
)
def taxicab_cie(predictions: tuple[Predictions, ...], teacher: tuple[Predictions, ...]) -> np.ndarray:
    """The distance for each example, (n,)."""
    n, classes = predictions[0].logits.shape
    step = max(1, CELLS // classes)
    parts = []
    for start in range(0, n, step):
        ours, theirs = ([one.take(slice(start, start + step)) for one in side] for side in (predictions, teacher))
        parts.append(np.abs(votes(ours, classes) - votes(theirs, classes)).sum(axis=1))
    return np.concatenate(parts)


def doubt(predictions: tuple[Predictions, ...], teacher: tuple[Predictions, ...]) -> str:
    """Why the number is rough: few seeds."""
    few = len(predictions) < 10
    return f"counts of {len(predictions)} seeds, of the teacher {len(teacher)}: the paper used 30 of each" if few else ""
