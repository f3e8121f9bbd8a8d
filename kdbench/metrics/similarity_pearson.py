"""Correlation of the cosine of two texts with the similarity that people gave them."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._cosines import gold, of_pairs

LEAST = 1e-12
"""A slice whose variance is less than this share of its mean square holds one value only, but for rounding."""


@metric(
    better="higher",
    low=-1.0,
    high=1.0,
    unit="correlation",
    axis="quality",
    title="Pearson of similarity",
    equation="r = cov(c, g) / (sd(c) sd(g)), c_i = cos(a_i, b_i), g_i the gold similarity of the pair",
    source="SemEval-2014 task 1 (Marelli et al. 2014); scipy pearsonr",
    reads="vectors",
    convention="Pearson's r between the cosine of each pair and its gold similarity, as it is, not rescaled; it asks for a "
    "straight line between the two, which similarity_spearman does not; times 1, not times 100",
    undefined="all cosines or all gold similarities are equal",
)
def similarity_pearson(predictions: Predictions) -> np.ndarray:
    """Columns (n, 5): c, g, c^2, g^2, c g. Not applicable without pairs and their gold similarity."""
    c, g = of_pairs(predictions), gold(predictions)
    return np.stack([c, g, c * c, g * g, c * g], axis=1)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 5) to (...); NaN where one side does not vary."""
    c, g, cc, gg, cg = np.moveaxis(np.asarray(means, dtype=np.float64), -1, 0)
    of_c, of_g = cc - c * c, gg - g * g
    known = (of_c > LEAST * cc) & (of_g > LEAST * gg)
    r = np.full(c.shape, np.nan)
    np.divide(cg - c * g, np.sqrt(np.where(known, of_c * of_g, 1.0)), out=r, where=known)
    return np.clip(r, -1.0, 1.0)
