"""Mean average precision down to the R-th place, R the relevant documents of a query."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._fourfold import ratio
from ._retrieved import Asked, first_places, left_out, of_queries


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="MAP@R",
    equation="1/R sum_(i <= R) P(i) rel_i, P(i) the precision of the first i places",
    source="Musgrave, Belongie and Lim 2020, A Metric Learning Reality Check, section 3.2",
    reads="vectors",
    convention="average precision of the first R places over R: not the average precision of the whole list, which it never "
    "exceeds; cosine; each row with a label asks for the rows of its label among all other rows (leave one out), "
    "the first text of a pair for its second among all second texts; the collection stays whole in every draw and "
    "group, queries are resampled; ties count as the mean over their orders; queries without a relevant document "
    "are left out",
    undefined="no query has a relevant document",
)
def map_at_r(predictions: Predictions) -> Cells:
    """One cell that holds the queries with a relevant document, and the average precision at R of each, (n,)."""
    return of_queries(predictions, _value)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the mean over the queries that have a relevant document."""
    return ratio(means[..., 1], means[..., 0])


def note(predictions: Predictions) -> str:
    """How many queries were left out."""
    return left_out(predictions)


def _value(asked: Asked, count: np.ndarray) -> np.ndarray:
    """The expectation of rel_i and of the relevant ones up to i, of a tied block of size b with r relevant, j of it before i:
    r/b (before + 1 + j (r - 1) / (b - 1)).
    """
    depth = int(count.max())
    found = first_places(asked, depth)
    others = found.inside * (found.relevant - 1) / np.maximum(found.size - 1, 1)
    place = np.arange(depth)
    precise = found.chance * (found.before + 1 + others) / (place + 1)
    return np.asarray(np.where(place < count[:, None], precise, 0.0).sum(axis=1) / count)
