"""The word "not" without its meaning: a tautology at the end that changes nothing."""

from __future__ import annotations

import re

import numpy as np

from kdbench import shift

TAUTOLOGIES = (
    "and false is not true",
    "and no is not yes",
    "and never is not always",
    "and nothing is not something",
    "and nobody is not everybody",
)
CLOSE = re.compile(r"\s*[.!?\u2026]*\s*\Z")


@shift(kinds=("text",))
def negation(x: np.ndarray, severity: int) -> np.ndarray:
    """1 to 5 tautologies with words of negation ("and false is not true") are added before the closing punctuation.

    The label stays because the meaning does. A model that answers otherwise leans on the mere word "not", as models of inference
    do (the negation test of Naik et al. 2018, "Stress Test Evaluation for Natural Language Inference"). This is no test of
    whether negation is understood: that would change labels, and needs examples written for it. x: object (n, k) of str;
    the last text of a row is changed, of a pair the hypothesis. Empty texts stay. Nothing is drawn; English only.
    """
    added = " ".join(TAUTOLOGIES[:severity])
    out = x.copy()
    for i, text in enumerate(x[:, -1]):
        if text.strip():
            close = CLOSE.search(text)
            cut = close.start() if close else len(text)
            out[i, -1] = f"{text[:cut]} {added}{text[cut:]}"
    return out
