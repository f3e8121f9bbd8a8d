"""Punctuation lost, and punctuation where none belongs."""

from __future__ import annotations

import unicodedata

import numpy as np

from kdbench import shift
from kdbench.shifts._words import each, join, split

SHARE = (0.05, 0.10, 0.20, 0.35, 0.50)
MARKS = ",.;:!?-"


@shift(kinds=("text",))
def punctuation(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """After 5, 10, 20, 35, 50 % of the words the punctuation changes: what is there is lost; where none is, a mark appears.

    x: object (n, k) of str. The mark is one of , . ; : ! ? - at random. A word that is nothing but punctuation disappears, unless
    nothing else would be left. Labels stay. The places of a lower severity are among those of a higher.
    """
    share = SHARE[severity - 1]

    def change(text: str, rng: np.random.Generator) -> str:
        words, gaps = split(text)
        luck, which = rng.random((2, len(words)))
        before = list(words)
        for i in np.flatnonzero(luck < share).tolist():
            bare = _bare(words[i])
            words[i] = words[i] + MARKS[int(which[i] * len(MARKS))] if bare == words[i] else bare
        return join(words if any(words) else before, gaps)

    return each(x, rng, change)


def _bare(word: str) -> str:
    """The word without the punctuation at its end."""
    end = len(word)
    while end and unicodedata.category(word[end - 1])[0] == "P":
        end -= 1
    return word[:end]
