"""How alike the student and the teacher write."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Predictions, metric

from ._chrf_counts import counts, score
from ._written import common, f1, plain_words, written


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="fidelity",
    title="Agreement of texts",
    equation="(1/n) sum_i s(student_i, teacher_i)",
    source="exact: Stanton et al. 2021 (agreement), of whole texts; chrf: Popović 2015; rougeL: Lin 2004",
    reads="texts",
    convention="mean over texts of one likeness, 0..1: 'exact', the same text but for white space at the ends; 'chrf', chrF2 of "
    "the row (sentence level); 'rougeL', the F measure of the longest common subsequence of words. What the reference says "
    "does not matter; both write greedily, so one that differs early may differ in all that follows. Two empty texts agree",
)
def agreement_of_texts(
    predictions: Predictions, teacher: Predictions, *, by: Literal["exact", "chrf", "rougeL"] = "exact"
) -> np.ndarray:
    """The likeness of each text to the teacher's, (n,)."""
    both = zip(written(predictions), written(teacher), strict=True)
    return np.array([_alike(mine.strip(), other.strip(), by) for mine, other in both], dtype=np.float64)


def _alike(mine: str, other: str, by: str) -> float:
    if by == "exact" or mine == other:
        return float(mine == other)
    if by == "chrf":
        return float(score(np.array(counts(mine, (other,), 6, 0, 2.0), dtype=np.float64), 2.0))
    a, b = plain_words(mine), plain_words(other)
    return f1(common(a, b), len(a), len(b))
