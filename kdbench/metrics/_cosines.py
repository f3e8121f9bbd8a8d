"""Cosines between stored vectors: what metrics of retrieval and of embeddings share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdbench import NotApplicable, Predictions, Undefined

DIGITS = 12
"""Decimals of a cosine that are kept: what differs by rounding alone is tied."""
CELLS = 4_000_000
"""Cosines that are held at once (8 bytes each)."""
MOST = 50_000
"""Rows up to which all are compared with all; fewer than the judge asks a metric about at once."""


def unit(vectors: np.ndarray, whose: str = "") -> np.ndarray:
    """Rows x / ||x||, float64 (n, d). whose: "the teacher's", for the reason.

    Raises Undefined for vectors of zeros, which have no direction, and for numbers that are not finite.
    """
    wide = np.asarray(vectors, dtype=np.float64)
    largest = np.abs(wide).max(axis=1, keepdims=True, initial=0.0)  # scaled first: squares of small numbers would vanish
    lost = int((~np.isfinite(largest)).sum())
    if lost:
        raise Undefined(f"{lost} of {len(wide)} vectors{_of(whose)} are not finite")
    zeros = int((largest == 0).sum())
    if zeros:
        raise Undefined(f"{zeros} of {len(wide)} vectors{_of(whose)} are zeros: they have no direction")
    wide = wide / largest
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))


def _of(whose: str) -> str:
    return f" of {whose}" if whose else ""


def second(predictions: Predictions) -> np.ndarray | None:
    """The vectors of the second texts of pairs, (n, d); None where the data have no pairs."""
    other: np.ndarray | None = predictions.columns.get("other")
    return other


def few_enough(n: int) -> None:
    """Raises NotApplicable where comparing all with all would take too long."""
    if n > MOST:
        raise NotApplicable(f"{n} rows, and all are compared with all (at most {MOST}): cap the test split with `limit`")


def blocks(rows: np.ndarray, documents: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """The cosines of some rows with all documents, (b, m), rounded so that equal texts are tied. Both of length 1."""
    step = max(1, CELLS // max(1, len(documents)))
    for start in range(0, len(rows), step):
        of = slice(start, min(start + step, len(rows)))
        yield of, np.round(rows[of] @ documents.T, DIGITS)


def of_pairs(predictions: Predictions) -> np.ndarray:
    """The cosine of the two texts of each pair, (n,). Raises NotApplicable where there are no pairs."""
    other = second(predictions)
    if other is None:
        raise NotApplicable("it reads pairs; these data have one text a row")
    first, second_ = unit(predictions.logits), unit(other)
    return np.asarray(np.clip(np.round(np.einsum("nd,nd->n", first, second_), DIGITS), -1.0, 1.0))


def gold(predictions: Predictions) -> np.ndarray:
    """The similarity that people gave each pair, float64 (n,). Raises NotApplicable without one, Undefined for a NaN."""
    target = predictions.columns.get("target")
    if target is None:
        raise NotApplicable("it reads the similarity that people gave each pair; these data have none")
    wide = np.asarray(target, dtype=np.float64)
    lost = int((~np.isfinite(wide)).sum())
    if lost:
        raise Undefined(f"{lost} of {len(wide)} pairs have no similarity")
    return wide
