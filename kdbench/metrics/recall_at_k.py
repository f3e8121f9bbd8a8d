"""Share of the relevant documents among the k nearest of a query."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Count, Predictions, metric

from ._fourfold import ratio
from ._retrieved import first_places, left_out, of_queries


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Recall@k",
    equation="mean over queries of |relevant among the k nearest| / |relevant|",
    source="sentence-transformers InformationRetrievalEvaluator (recall@k); ties: McSherry and Najork 2008",
    reads="vectors",
    convention="share of all relevant documents, at most k / R where R are relevant; whether one was found at all is "
    "hit_rate_at_k, which metric learning calls Recall@K; cosine; each row with a label asks for the rows of its "
    "label among all other rows (leave one out), the first text of a pair for its second among all second texts; "
    "the collection stays whole in every draw and group, queries are resampled; ties count as the mean over their "
    "orders; queries without a relevant document are left out",
    undefined="no query has a relevant document",
)
def recall_at_k(predictions: Predictions, *, k: Count = 10) -> Cells:
    """One cell that holds the queries with a relevant document, and the share found of each, (n,). Undefined for fewer than
    k documents.
    """
    return of_queries(predictions, lambda asked, count: first_places(asked, k).chance.sum(axis=1) / count, k)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the mean over the queries that have a relevant document."""
    return ratio(means[..., 1], means[..., 0])


def note(predictions: Predictions) -> str:
    """How many queries were left out."""
    return left_out(predictions)
