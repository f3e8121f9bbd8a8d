"""Discounted gain of the relevant documents among the k nearest, beside the best order."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Count, Predictions, metric

from ._fourfold import ratio
from ._retrieved import Asked, first_places, left_out, of_queries


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="nDCG@k",
    equation="DCG@k / IDCG@k, DCG@k = sum_(i <= k) rel_i / log2(i + 1), rel 0 or 1",
    source="Jarvelin and Kekalainen 2002; scikit-learn ndcg_score",
    reads="vectors",
    convention="gains 0 or 1, discount 1 / log2(1 + place), ideal order of min(k, R) relevant documents; cosine; each row with"
    " a label asks for the rows of its label among all other rows (leave one out), the first text of a pair for its"
    " second among all second texts; the collection stays whole in every draw and group, queries are resampled; "
    "ties count as the mean over their orders; queries without a relevant document are left out",
    undefined="no query has a relevant document",
)
def ndcg_at_k(predictions: Predictions, *, k: Count = 10) -> Cells:
    """One cell that holds the queries with a relevant document, and the nDCG of each, (n,).

    Undefined for fewer than k documents.
    """
    discount = 1.0 / np.log2(np.arange(k) + 2.0)
    ideal = np.cumsum(discount)

    def value(asked: Asked, count: np.ndarray) -> np.ndarray:
        return np.asarray(first_places(asked, k).chance @ discount / ideal[np.minimum(count, k) - 1])

    return of_queries(predictions, value, k)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the mean over the queries that have a relevant document."""
    return ratio(means[..., 1], means[..., 0])


def note(predictions: Predictions) -> str:
    """How many queries were left out."""
    return left_out(predictions)
