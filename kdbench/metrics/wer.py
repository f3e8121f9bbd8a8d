"""Word error rate: edits that turn what was written into the reference, per word of the reference."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Predictions, metric

from ._written import edits, mean_of_ratio, pairs, without_punctuation


@metric(
    better="lower",
    low=0.0,
    axis="quality",
    title="Word error rate",
    equation="sum_i (S_i + D_i + I_i) / sum_i N_i: substitutions, deletions, insertions; N: words of the reference",
    source="Levenshtein 1966; jiwer 4 wer",
    reads="texts",
    convention="pooled over the corpus, not the mean of the rates of rows; may exceed 1. normaliser 'none': as written, case and "
    "punctuation count; 'basic': lower case, without Unicode punctuation (P*). Words are split at any white space (jiwer: at "
    "spaces). An empty reference adds its insertions and no words; of several references the one with the lowest rate counts",
    undefined="no reference has a word",
)
def wer(predictions: Predictions, *, normaliser: Literal["none", "basic"] = "none") -> np.ndarray:
    """Edits and words of the reference, (n, 2)."""
    normal = without_punctuation if normaliser == "basic" else str
    rows = []
    for text, references in pairs(predictions):
        words = normal(text).split()
        wanted = [normal(reference).split() for reference in references]
        rows.append(min(((edits(one, words), len(one)) for one in wanted), key=lambda r: r[0] / max(r[1], 1)))
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def finish(means: np.ndarray) -> np.ndarray:
    """Edits per word."""
    return mean_of_ratio(means)
