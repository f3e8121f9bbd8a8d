"""The counts of which chrF is made: n-grams of the text, of its reference, and in common, for each order."""

from __future__ import annotations

from collections import Counter
from string import punctuation

import numpy as np

PUNCTUATION = frozenset(punctuation)


def counts(text: str, references: tuple[str, ...], characters: int, words: int, beta: float) -> list[int]:
    """[of the text, of the reference, in common] for each order of characters, then of words: of the reference that gives the
    best F of this row, the first of equals.
    """
    mine = _grams(text, characters, words)
    best: list[int] = []
    most = -1.0
    for reference in references:
        held = [_three(a, b) for a, b in zip(mine, _grams(reference, characters, words), strict=True)]
        row = [n for three in held for n in three]
        value = float(score(np.array(row, dtype=np.float64), beta))
        if value > most:
            best, most = row, value
    return best


def score(counted: np.ndarray, beta: float) -> np.ndarray:
    """F of precision and recall, each a mean over the orders that both sides have, 0..1. counted (..., 3 orders): counts, or
    means of counts, for a factor common to all does not change it. NaN stays NaN.
    """
    found, wanted, both = (counted[..., i::3] for i in range(3))
    known = (found > 0) & (wanted > 0)
    orders = np.maximum(known.sum(axis=-1), 1)
    precision, recall = (_share(both, side, known).sum(axis=-1) / orders for side in (found, wanted))
    below = beta**2 * precision + recall
    value = np.divide((1 + beta**2) * precision * recall, below, out=np.zeros(np.shape(below)), where=below > 0)
    return np.where(np.isnan(counted).any(axis=-1), np.nan, value)


def _share(both: np.ndarray, side: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(both, side, out=np.zeros(both.shape), where=known))


def _three(mine: Counter[str], other: Counter[str]) -> tuple[int, int, int]:
    both = sum(min(count, other[gram]) for gram, count in mine.items() if gram in other)
    return (mine.total() if other else 0), other.total(), both


def _grams(text: str, characters: int, words: int) -> list[Counter[str]]:
    line, parts = "".join(text.split()), _words(text) if words else []
    of_characters = [Counter(line[i : i + n] for i in range(len(line) - n + 1)) for n in range(1, characters + 1)]
    return of_characters + [Counter(" ".join(parts[i : i + n]) for i in range(len(parts) - n + 1)) for n in range(1, words + 1)]


def _words(text: str) -> list[str]:
    """Words with one mark of punctuation split off: at the end, else at the beginning."""
    found: list[str] = []
    for word in text.split():
        if len(word) > 1 and word[-1] in PUNCTUATION:
            found += [word[:-1], word[-1]]
        elif len(word) > 1 and word[0] in PUNCTUATION:
            found += [word[0], word[1:]]
        else:
            found.append(word)
    return found
