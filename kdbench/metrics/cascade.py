"""A student that hands its least confident answers to the teacher."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdbench import Predictions, ProperFraction, metric

from ._selective import accepted, along, local, over, plateaus, taken, tally


@metric(
    form="set",
    better="higher",
    low=0.0,
    high=1.0,
    axis="selective",
    title="Cascade accuracy",
    equation="1/n (sum of 1[student right] over its (1 - d) n most confident answers + sum of 1[teacher right] over the others)",
    source="Jitkrittum et al. 2023 (When does confidence-based cascade deferral suffice?)",
    convention="deferral by the student's largest probability, of exactly d n examples; a plateau of equal confidences that the "
    "limit cuts is deferred in proportion; the expected cost of an answer is the student's + d times the teacher's",
    reads="probabilities",
)
def cascade(
    predictions: Predictions, teacher: Predictions, weights: np.ndarray | None = None, *, defer: ProperFraction = 0.2
) -> np.ndarray | float:
    """The accuracy of the two together, of one set or of all draws (draws, n) -> (draws,)."""
    mass, gain = tally(plateaus(predictions), _gain(predictions, teacher), weights)
    right = teacher.correct.sum() if weights is None else weights[:, teacher.correct].sum(axis=1, dtype=np.float64)
    found = np.clip(over(accepted(mass, gain, 1 - defer) + right, mass.sum(axis=-1), np.nan), 0.0, 1.0)
    return found if weights is not None else float(found[0])


def _gain(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    """1 where only the student is right, -1 where only the teacher is, (n,)."""
    return np.asarray(predictions.correct.astype(np.float64) - teacher.correct)


def influence(predictions: Predictions, teacher: Predictions, *, defer: ProperFraction = 0.2) -> np.ndarray:
    """The derivative with respect to the weight of each example, times n, (n,): teacher right + a(i) (gain(i) - g) - mean.

    a: 1 where the student answers; g: the mean gain near the limit, because one more kept example pushes out another there.
    """
    on, gain = plateaus(predictions), _gain(predictions, teacher)
    mass, sums = (part[0] for part in tally(on, gain))
    found = teacher.correct + on.spread(taken(mass, 1 - defer)) * (gain - local(mass, sums, 1 - defer))
    return np.asarray(found - found.mean())


def curve(predictions: Predictions, teacher: Predictions) -> Mapping[str, str | np.ndarray]:
    """x: share that the teacher answers, from 0 (the student alone) to 1 (the teacher alone); y: accuracy. At most 101 points."""
    mass, gain = (part[0] for part in tally(plateaus(predictions), _gain(predictions, teacher)))
    kept, sums = along(mass, gain)
    x, gains = np.append(1.0 - kept[::-1], 1.0), np.append(sums[::-1], 0.0)
    return {"name": "cascade", "x": x, "y": np.clip((gains + teacher.correct.sum()) / mass.sum(), 0.0, 1.0)}
