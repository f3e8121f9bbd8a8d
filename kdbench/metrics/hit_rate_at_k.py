"""Whether a query finds a relevant document among its k nearest."""

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
    title="Hit rate@k",
    equation="mean over queries of 1[some relevant document among the k nearest]",
    source="Jegou, Douze and Schmid 2011; Musgrave et al. 2020 (their Recall@K); sentence-transformers (accuracy@k)",
    reads="vectors",
    convention="1 where at least one of the k is relevant: the Recall@K of metric learning, at k = 1 also precision at 1; the "
    "share of the relevant ones is recall_at_k; cosine; each row with a label asks for the rows of its label among "
    "all other rows (leave one out), the first text of a pair for its second among all second texts; the collection"
    " stays whole in every draw and group, queries are resampled; ties count as the mean over their orders; queries"
    " without a relevant document are left out",
    undefined="no query has a relevant document",
)
def hit_rate_at_k(predictions: Predictions, *, k: Count = 1) -> Cells:
    """One cell that holds the queries with a relevant document, and how probable a hit is for each, (n,); 0 or 1 without ties."""
    return of_queries(predictions, lambda asked, _: 1.0 - first_places(asked, k).missed[:, -1], k)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the mean over the queries that have a relevant document."""
    return ratio(means[..., 1], means[..., 0])


def note(predictions: Predictions) -> str:
    """How many queries were left out."""
    return left_out(predictions)
