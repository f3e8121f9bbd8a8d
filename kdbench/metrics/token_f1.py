"""Overlap of the words of an answer with those of its reference."""

from __future__ import annotations

from collections import Counter

import numpy as np

from kdbench import Predictions, metric

from ._written import f1, pairs, plain_answer


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Token F1",
    equation="(1/n) sum_i max_r 2 |W_i n W_ir| / (|W_i| + |W_ir|), W: multiset of normalised words",
    source="Rajpurkar et al. 2016 (SQuAD), evaluate-v2.0.py",
    reads="texts",
    convention="words of the text normalised as for exact match 'squad' (lower case, no ASCII punctuation, no articles), split "
    "at white space; the best of several references; where one side has no words left: 1 if both have none, else 0 (SQuAD 2.0)",
)
def token_f1(predictions: Predictions) -> np.ndarray:
    """F1 of the words, the best over the references, (n,)."""
    return np.array([max(_of(text, reference) for reference in references) for text, references in pairs(predictions)])


def _of(text: str, reference: str) -> float:
    found, wanted = plain_answer(text).split(), plain_answer(reference).split()
    if not found or not wanted:
        return float(found == wanted)
    return f1((Counter(found) & Counter(wanted)).total(), len(found), len(wanted))
