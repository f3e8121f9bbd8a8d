"""Character error rate: edits that turn what was written into the reference, per character of the reference."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Predictions, metric

from ._written import edits, mean_of_ratio, pairs, without_punctuation


@metric(
    better="lower",
    low=0.0,
    axis="quality",
    title="Character error rate",
    equation="sum_i (S_i + D_i + I_i) / sum_i N_i: substitutions, deletions, insertions; N: characters of the reference",
    source="Levenshtein 1966; jiwer 4 cer",
    reads="texts",
    convention="pooled over the corpus, not the mean of the rates of rows; may exceed 1; white space inside a text counts, at "
    "its ends it does not; characters are code points, not bytes or graphemes. normaliser 'none': as written; 'basic': lower "
    "case, without Unicode punctuation (P*). An empty reference adds its insertions and no characters; of several references the "
    "one with the lowest rate counts",
    undefined="no reference has a character",
)
def cer(predictions: Predictions, *, normaliser: Literal["none", "basic"] = "none") -> np.ndarray:
    """Edits and characters of the reference, (n, 2)."""
    normal = without_punctuation if normaliser == "basic" else str
    rows = []
    for text, references in pairs(predictions):
        letters = normal(text).strip()
        wanted = [normal(reference).strip() for reference in references]
        rows.append(min(((edits(one, letters), len(one)) for one in wanted), key=lambda r: r[0] / max(r[1], 1)))
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def finish(means: np.ndarray) -> np.ndarray:
    """Edits per character."""
    return mean_of_ratio(means)
