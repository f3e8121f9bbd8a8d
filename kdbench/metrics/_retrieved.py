"""What each query finds: its documents from the nearest on, with ties counted as the mean over all orders of what is tied.

Two collections. Rows with a label: every row is a query, all other rows are the documents (leave one out), those of the same
label are relevant. Pairs without a gold similarity: the first text of a row is a query, the second texts of all rows are the
documents, its own is the relevant one. McSherry and Najork 2008 (Computing information retrieval performance measures
efficiently in the presence of tied scores) give the expectations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kdbench import Cells, NotApplicable, Predictions, Undefined

from ._cosines import blocks, few_enough, second, unit


@dataclass(frozen=True, slots=True)
class Asked:
    """The queries of some rows. score (b, m): of each document, -inf for the query itself; relevant bool (b, m)."""

    rows: slice
    score: np.ndarray
    relevant: np.ndarray


@dataclass(frozen=True, slots=True)
class Places:
    """The first places of each query, (b, depth) each: where the tied documents of a place begin (0 is first), how many they
    are, how many of them are relevant, and how many relevant ones stand before them.
    """

    start: np.ndarray
    size: np.ndarray
    relevant: np.ndarray
    before: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """How many of the tied documents of a place stand before it, (b, depth)."""
        return np.asarray(np.arange(self.start.shape[1]) - self.start)

    @property
    def chance(self) -> np.ndarray:
        """How probable it is that the document of a place is relevant, (b, depth)."""
        return np.asarray(self.relevant / self.size)

    @property
    def missed(self) -> np.ndarray:
        """How probable it is that no document up to a place is relevant, (b, depth)."""
        left = np.maximum(self.size - self.relevant - self.inside, 0) / (self.size - self.inside)
        return np.asarray(np.cumprod(left, axis=1))


def of_queries(predictions: Predictions, value: Callable[[Asked, np.ndarray], np.ndarray], least: int = 1) -> Cells:
    """One cell that holds the queries with a relevant document, and their values, (n,).

    value: (queries, how many documents are relevant to each, (b,)) -> (b,), called for those with a relevant document alone.
    Raises Undefined for fewer than `least` documents.
    """
    n = len(predictions.ids)
    few_enough(n)
    documents = n if _pairs(predictions) else n - 1
    if documents < least:
        raise Undefined(f"{max(documents, 0)} documents, fewer than k = {least}")
    known, found = np.zeros(n, dtype=bool), np.zeros(n)
    for asked in _asked(predictions):
        count = asked.relevant.sum(axis=1)
        some = np.flatnonzero(count)
        if len(some):
            rows = np.arange(n)[asked.rows][some]
            known[rows] = True
            found[rows] = value(Asked(asked.rows, asked.score[some], asked.relevant[some]), count[some])
    return Cells(np.where(known, 0, -1), 1, (found,))


def left_out(predictions: Predictions) -> str:
    """How many queries have no relevant document."""
    if _pairs(predictions):
        return ""
    label = np.asarray(predictions.label)
    labels, place, count = np.unique(label, return_inverse=True, return_counts=True)
    lost = int(((labels[place] < 0) | (count[place] < 2)).sum())
    return f"{lost} of {len(label)} queries have no relevant document: left out" if lost else ""


def _pairs(predictions: Predictions) -> bool:
    return second(predictions) is not None


def _asked(predictions: Predictions) -> Iterator[Asked]:
    if "target" in predictions.columns:
        raise NotApplicable("pairs with a gold similarity have no relevant documents: see similarity_spearman")
    rows, other = unit(predictions.logits), second(predictions)
    if other is not None:
        for of, score in blocks(rows, unit(other)):
            yield Asked(of, score, np.arange(len(rows)) == np.arange(of.start, of.stop)[:, None])
        return
    label = np.asarray(predictions.label)
    for of, score in blocks(rows, rows):
        own = np.arange(len(score)), np.arange(of.start, of.stop)
        relevant = (label[of, None] == label) & (label >= 0)
        score[own], relevant[own] = -np.inf, False
        yield Asked(of, score, relevant)


def first_places(asked: Asked, depth: int) -> Places:
    """The first `depth` places of each query; there must be as many documents."""
    score, relevant = asked.score, asked.relevant
    top = np.argpartition(-score, depth - 1, axis=1)[:, :depth]
    top = np.take_along_axis(top, np.argsort(-np.take_along_axis(score, top, axis=1), axis=1), axis=1)
    ranked, hits = np.take_along_axis(score, top, axis=1), np.take_along_axis(relevant, top, axis=1)
    fresh = np.ones(ranked.shape, dtype=bool)
    fresh[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    code = np.cumsum(fresh.ravel()) - 1
    size, held = np.bincount(code), np.bincount(code, weights=hits.ravel())
    last = code.reshape(ranked.shape)[:, -1]  # what is tied with the last place may go on below it
    tied = score == ranked[:, -1:]
    size[last], held[last] = tied.sum(axis=1), (tied & relevant).sum(axis=1)
    start = np.flatnonzero(fresh.ravel()) % depth
    of_row = np.repeat(np.arange(len(score)), fresh.sum(axis=1))
    before = np.cumsum(held) - held
    before -= before[np.searchsorted(of_row, np.arange(len(score)))][of_row]  # counted from the first place of its own query
    shape = ranked.shape
    return Places(*(part[code].reshape(shape) for part in (start, size, held, before)))
