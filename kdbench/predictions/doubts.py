"""Answers that are whole and still look wrong: notes for the reader of the results, never a correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kdbench.predictions.join import Answers

LEAST = 50
"""Rows below which being no better than chance is no news."""
MOST_CLASSES = 200
ERRORS = 2.0
"""Standard errors by which an accuracy must be above chance."""


def doubts(of: Answers, classes: Sequence[str]) -> Iterator[str]:
    """Notes on the answers of one contender on the clean test set.

    Chance is the accuracy of these decisions if they were dealt out at random: the sum over classes of the share of decisions
    times the share of labels, as in Cohen's kappa. Rows that belong to other ids end up there; permuted classes below.
    """
    k, n = len(classes), len(of.label)
    if of.kind == "values" or n < 2:
        return
    if (of.pred == of.pred[0]).all():
        yield f"{of.contender}: constant predictions: every decision is {classes[of.pred[0]][:60]!r}"
        return
    right = float((of.pred == of.label).mean())
    chance = float(np.bincount(of.pred, minlength=k) @ np.bincount(of.label, minlength=k)) / n**2
    if n < LEAST or right > chance + ERRORS * float(np.sqrt(chance * (1 - chance) / n)):
        return
    found = f"{of.contender}: accuracy {right:.3f} is not above chance ({chance:.3f})"
    best = _best(of, k) if k <= MOST_CLASSES else 0.0
    if best > 2 * max(chance, right):
        yield f"{found}; with the classes in another order it would be {best:.3f}: are the labels permuted?"
    else:
        yield f"{found}; do the rows belong to these ids?"


def _best(of: Answers, k: int) -> float:
    """The accuracy with the best one-to-one renaming of the classes."""
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]  # noqa: PLC0415 - only where there is doubt

    confusion = np.bincount(of.pred * k + of.label, minlength=k * k).reshape(k, k)
    return float(confusion[linear_sum_assignment(-confusion)].sum()) / len(of.label)
