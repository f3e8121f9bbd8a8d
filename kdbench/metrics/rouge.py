"""ROUGE: overlap of a summary with its reference, in words, pairs of words, or the longest common subsequence."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Predictions, metric

from ._written import common, f1, grams, pairs, plain_words, shared


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="ROUGE",
    equation="(1/n) sum_i max_r 2 o_ir / (g_i + g_ir), o: n-grams in common (rouge1, rouge2), or the longest common subsequence "
    "of words (rougeL); g: their number in the text and in the reference",
    source="Lin 2004; the numbers of Google's rouge_score 0.1.2 with use_stemmer=False",
    reads="texts",
    convention="F measure, not recall; words are runs of a-z and 0-9 in lower case, without stemming: a text in another alphabet "
    "has none and scores 0; rougeL takes the text as one sentence (not rougeLsum); the best of several references; "
    "mean over texts, 0..1",
)
def rouge(predictions: Predictions, *, of: Literal["rouge1", "rouge2", "rougeL"] = "rougeL") -> np.ndarray:
    """The F measure, the best over the references, (n,)."""
    return np.array([max(score(text, reference, of) for reference in references) for text, references in pairs(predictions)])


def note(predictions: Predictions) -> str:
    """How many references have no word that ROUGE knows."""
    bare = sum(not any(map(plain_words, references)) for _, references in pairs(predictions))
    return f"{bare} of {len(predictions.ids)} references have no word of a-z or 0-9: they score 0" if bare else ""


def score(text: str, reference: str, of: str) -> float:
    """The F measure of one text and one reference."""
    found, wanted = plain_words(text), plain_words(reference)
    if of == "rougeL":
        return f1(common(wanted, found), len(found), len(wanted))
    n = int(of[-1])
    return f1(shared(grams(found, n), grams(wanted, n)), max(len(found) - n + 1, 0), max(len(wanted) - n + 1, 0))
