"""How long the texts are that a model writes, against their references."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._written import mean_of_ratio, pairs


@metric(
    better="none",
    unit="x",
    low=0.0,
    axis="quality",
    title="Length ratio",
    equation="sum_i |text_i| / sum_i |reference_i|, in words",
    source="what sacrebleu prints as ratio, with words split at white space",
    reads="texts",
    convention="pooled over the corpus, not the mean of ratios; words split at white space; of several references the one whose "
    "length is nearest, the shorter of two. 1 is the length of the references, which is not better by itself",
    undefined="no reference has a word",
)
def written_length(predictions: Predictions) -> np.ndarray:
    """Words written, words of the reference, (n, 2)."""
    rows = []
    for text, references in pairs(predictions):
        count = len(text.split())
        rows.append((count, min((abs(count - n), n) for n in (len(one.split()) for one in references))[1]))
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def finish(means: np.ndarray) -> np.ndarray:
    """Words written per word of the references."""
    return mean_of_ratio(means)


def note(predictions: Predictions) -> str:
    """How many texts are empty."""
    empty = sum(not text.strip() for text, _ in pairs(predictions))
    return f"{empty} of {len(predictions.ids)} texts are empty" if empty else ""
