"""Whether two texts that are alike for the teacher are alike for the student, too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdbench import Predictions, Undefined, metric

from ._cosines import blocks, few_enough, unit

LEAST = 1e-12
"""A variance below this share of the mean square is rounding: all cosines are equal."""
KEPT = "similarity_correlation"
"""Where the means are kept beside the properties of predictions: the value and its influence share them."""


@metric(
    form="set",
    better="higher",
    low=-1.0,
    high=1.0,
    unit="correlation",
    axis="fidelity",
    title="Correlation of similarities with the teacher",
    equation="Pearson's r over all pairs i < j of cos(e_S,i, e_S,j) and cos(e_T,i, e_T,j)",
    source="Kriegeskorte, Mur and Bandettini 2008 (representational similarity analysis, there with Spearman's rank correlation)",
    reads="vectors",
    convention="Pearson, not Spearman; cosine, all pairs of different rows, of paired data the first texts; 1 where the student "
    "is the teacher up to a rotation, whatever the widths; not centred, unlike CKA. Interval by the influence of each row: pairs "
    "of rows are not independent of each other",
    undefined="all cosines are equal on one side",
)
def similarity_correlation_with_teacher(predictions: Predictions, teacher: Predictions) -> float:
    """Pearson's r of the n (n - 1) / 2 cosines. Raises Undefined for fewer than three rows, and where one side does not vary."""
    return float(_values(_kept(predictions, teacher).mean(axis=0))[0])


def influence(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    """Twice the gradient of r at the means of the pairs, times how the pairs of each row differ from them, (n,): mean 0
    (Hoeffding's projection of a statistic of pairs).
    """
    rows = _kept(predictions, teacher)
    mean = rows.mean(axis=0)
    return np.asarray(2.0 * (rows - mean) @ _values(mean)[1])


def _kept(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    kept = predictions.__dict__.get(KEPT)
    if kept is None or kept[0] is not teacher:
        kept = predictions.__dict__[KEPT] = (teacher, np.concatenate(list(_means(predictions, teacher))))
    rows: np.ndarray = kept[1]
    return rows


def _means(predictions: Predictions, teacher: Predictions) -> Iterator[np.ndarray]:
    """Of each row the means over all other rows of s, t, s^2, t^2 and s t, (b, 5) at a time."""
    n = len(predictions.ids)
    few_enough(n)
    if n < 3:
        raise Undefined(f"{n} rows: no correlation of their pairs")
    sides = unit(predictions.logits), unit(teacher.logits, "the teacher")
    for (of, s), (_, t) in zip(*(blocks(rows, rows) for rows in sides), strict=True):
        own = np.arange(len(s)), np.arange(of.start, of.stop)
        s[own], t[own] = 0.0, 0.0
        parts = [s.sum(axis=1), t.sum(axis=1), *(np.einsum("bn,bn->b", a, b) for a, b in ((s, s), (t, t), (s, t)))]
        yield np.stack(parts, axis=1) / (n - 1)


def _values(mean: np.ndarray) -> tuple[float, np.ndarray]:
    """R and its gradient (5,) at the five means."""
    s, t, ss, tt, st = mean
    of_s, of_t, both = ss - s * s, tt - t * t, st - s * t
    if not (of_s > LEAST * ss and of_t > LEAST * tt):
        raise Undefined("all cosines are equal for this model or for the teacher")
    root = np.sqrt(of_s * of_t)
    r = both / root
    gradient = np.array([r * s / of_s - t / root, r * t / of_t - s / root, -r / (2 * of_s), -r / (2 * of_t), 1 / root])
    return float(np.clip(r, -1.0, 1.0)), gradient
