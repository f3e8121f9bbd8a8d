"""New training data from a teacher: `contenders: {mine: [{relabel: my_relabeler}, {fit: scratch}]}`; later fits train on it."""

from __future__ import annotations

import numpy as np

from kdbench import Fraction, Refusal, Relabelled, relabeler


# Evidence is asked for by name: label, probabilities (of the teacher, in the order of the data's classes), texts, target,
# teacher (which can write), answers (of a file of texts) and rng. Validation and test rows are never shown, and stay as they are.
@relabeler()
def my_relabeler(label: np.ndarray, probabilities: np.ndarray, *, least: Fraction = 0.1) -> Relabelled:
    """Without the examples whose given label the teacher thinks unlikely: those stay that get a probability of `least` or more.

    label int64 (n,), probabilities float64 (n, classes). Gives the rows that stay, in their order, with their own labels.
    """
    given = probabilities[np.arange(len(label)), label]
    kept = np.flatnonzero(given >= least)
    if not len(kept):
        raise Refusal(f"my_relabeler: no label gets a probability of {least:g}; the likeliest has {given.max():.4g}")
    return Relabelled(kept, notes=(f"my_relabeler: {len(kept)} of {len(label)} labels have a probability of {least:g} or more",))
