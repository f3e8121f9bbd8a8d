"""chrF: overlap of a translation with its reference in runs of characters, over the whole corpus."""

from __future__ import annotations

import numpy as np

from kdbench import Count, Positive, Predictions, Whole, metric

from ._chrf_counts import counts, score
from ._written import pairs


@metric(
    better="higher",
    unit="points",
    low=0.0,
    high=100.0,
    axis="quality",
    title="chrF",
    equation="100 (1 + beta^2) P R / (beta^2 P + R); P, R: precision and recall of character n-grams, counts summed over the "
    "corpus, mean over n = 1..6",
    source="Popović 2015; chrF++ (words: 2) Popović 2017; the numbers of sacrebleu 2.6 CHRF",
    reads="texts",
    convention="corpus level, 0..100 as sacrebleu prints it (not 0..1, and not the mean over sentences); white space removed, "
    "case kept; effective order: orders that a side does not have are left out; of several references the one that is best for "
    "its row",
)
def chrf(predictions: Predictions, *, characters: Count = 6, words: Whole = 0, beta: Positive = 2.0) -> np.ndarray:
    """Counts of n-grams: of the text, of the reference, in common, for each order (n, 3 (characters + words))."""
    rows = [counts(text, references, characters, words, beta) for text, references in pairs(predictions)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), -1)


def finish(means: np.ndarray, *, beta: Positive = 2.0) -> np.ndarray:
    """The chrF of the corpus: its counts are n times the means, and the factor cancels."""
    return np.asarray(100 * score(np.asarray(means), beta))
