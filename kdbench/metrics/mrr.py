"""How early the first relevant document of a query comes."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._fourfold import ratio
from ._retrieved import Asked, left_out, of_queries


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Mean reciprocal rank",
    equation="mean over queries of 1 / place of the first relevant document",
    source="Voorhees 1999 (TREC-8 question answering); ties: McSherry and Najork 2008",
    reads="vectors",
    convention="over the whole list, without a cut (MS MARCO cuts at 10); cosine; each row with a label asks for the rows of "
    "its label among all other rows (leave one out), the first text of a pair for its second among all second "
    "texts; the collection stays whole in every draw and group, queries are resampled; ties count as the mean over "
    "their orders; queries without a relevant document are left out",
    undefined="no query has a relevant document",
)
def mrr(predictions: Predictions) -> Cells:
    """One cell that holds the queries with a relevant document, and the reciprocal place of each, (n,)."""
    return of_queries(predictions, _value)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the mean over the queries that have a relevant document."""
    return ratio(means[..., 1], means[..., 0])


def note(predictions: Predictions) -> str:
    """How many queries were left out."""
    return left_out(predictions)


def _value(asked: Asked, _: np.ndarray) -> np.ndarray:
    """Of b tied documents with r relevant after a others: sum over j >= 1 of P(the first relevant is number j) / (a + j)."""
    best = np.where(asked.relevant, asked.score, -np.inf).max(axis=1, keepdims=True)
    tied = asked.score == best
    after, size, held = (part.sum(axis=1) for part in (asked.score > best, tied, tied & asked.relevant))
    value, missed = np.zeros(len(best)), np.ones(len(best))
    for j in range(int((size - held).max()) + 1):
        still = np.maximum(size - held - j, 0) / np.maximum(size - j, 1)
        value += missed * (1.0 - still) / (after + j + 1)
        missed *= still
    return value
