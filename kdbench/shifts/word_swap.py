"""Other words for the same, or the same words in another order."""

from __future__ import annotations

import re

import numpy as np

from kdbench import shift
from kdbench.shifts._synonyms import SYNONYMS
from kdbench.shifts._words import each, join, split

SHARE = (0.05, 0.10, 0.20, 0.35, 0.50)
CORE = re.compile(r"(\W*)(.*?)(\W*)", re.DOTALL)


@shift(kinds=("text",))
def word_swap(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """5, 10, 20, 35, 50 % of the words are swapped: for a synonym where a small English table has one, else with the next word.

    x: object (n, k) of str. A synonym keeps capitals and punctuation, and is inflected like the word ("films": "movies"); of
    several, one is drawn. The table holds words that mean nearly the same in most sentences, and no word of negation. The
    back-off exchanges a word and its right neighbour (the last word: its left one), so that two words move; it keeps the bag of
    words and asks a model about their order. Labels stay. The swaps of a lower severity are among those of a higher.
    """
    share = SHARE[severity - 1]

    def change(text: str, rng: np.random.Generator) -> str:
        words, gaps = split(text)
        luck, which = rng.random((2, len(words)))
        moved = []
        for i in np.flatnonzero(luck < share).tolist():
            other = _synonym(words[i], which[i])
            if other:
                words[i] = other
            elif len(words) > 1:
                moved.append(min(i, len(words) - 2))
        for i in moved:
            words[i], words[i + 1] = words[i + 1], words[i]
        return join(words, gaps)

    return each(x, rng, change)


def _synonym(word: str, draw: float) -> str:
    """A synonym in the case and the punctuation of the word; "" where the table has none."""
    found = CORE.fullmatch(word)
    before, core, after = found.groups() if found else ("", "", "")
    others = SYNONYMS.get(core.lower(), ())
    if not others:
        return ""
    other = others[int(draw * len(others))]
    if core.isupper() and len(core) > 1:
        other = other.upper()
    elif core[:1].isupper():
        other = other[:1].upper() + other[1:]
    return before + other + after
