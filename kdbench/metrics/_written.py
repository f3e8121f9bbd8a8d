"""What a model wrote and what it should have written, as pairs, and how far two texts are apart."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from kdbench import ALTERNATIVE, NotApplicable, Predictions, Undefined

MOST_CHARACTERS = 50_000
"""Characters of a text that are compared: the time that two texts take grows with the product of their lengths."""
ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
PUNCTUATION = str.maketrans("", "", string.punctuation)
NOT_A_WORD = re.compile(r"[^a-z0-9]+")


def written(predictions: Predictions) -> np.ndarray:
    """What the model wrote, object array of str (n,). Raises NotApplicable where it wrote nothing, Undefined for what is too
    long.
    """
    if "text" not in predictions.columns:
        raise NotApplicable("the model wrote no texts here")
    return _short(predictions, "text")


def pairs(predictions: Predictions) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The text and its references, row by row. Raises NotApplicable where there are none, Undefined for what is too long."""
    texts = written(predictions)
    if "reference" not in predictions.columns:
        raise NotApplicable("there are no references to compare the texts with")
    for text, reference in zip(texts, _short(predictions, "reference"), strict=True):
        yield str(text), tuple(str(reference).split(ALTERNATIVE))


def _short(predictions: Predictions, column: str) -> np.ndarray:
    texts = predictions.columns[column]
    long = next((i for i, text in enumerate(texts) if len(text) > MOST_CHARACTERS), None)
    if long is not None:
        said = f"{len(texts[long])} characters in the {column} of {str(predictions.ids[long])[:60]!r}"
        raise Undefined(f"{said}; at most {MOST_CHARACTERS} are compared")
    return texts


def plain_answer(text: str) -> str:
    """An answer as the script of SQuAD compares it: lower case, without ASCII punctuation and the articles a, an and the, one
    space between words.
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def without_punctuation(text: str) -> str:
    """Lower case, without the characters of the Unicode categories P*."""
    return "".join(c for c in text.lower() if not unicodedata.category(c).startswith("P"))


def plain_words(text: str) -> list[str]:
    """Words as the script of ROUGE finds them: lower case, runs of a-z and 0-9; any other alphabet has none."""
    return [word for word in NOT_A_WORD.split(text.lower()) if word]


def edits(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """The Levenshtein distance: insertions, deletions and substitutions, each of cost 1. Bit-parallel (Myers 1999; Hyyrö 2003):
    column by column, a whole number holds where the distances step up and where they step down.
    """
    if not a:
        return len(b)
    at = _masks(a)
    up, down, distance = (1 << len(a)) - 1, 0, len(a)
    last, full = 1 << (len(a) - 1), (1 << len(a)) - 1
    for item in b:
        match = at.get(item, 0)
        diagonal = (((match & up) + up) ^ up) | match | down
        right = down | (full & ~(diagonal | up))
        left = up & diagonal
        distance += bool(right & last) - bool(left & last)
        right = ((right << 1) | 1) & full
        left = (left << 1) & full
        up = left | (full & ~(diagonal | right))
        down = right & diagonal
    return distance


def common(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """The length of the longest common subsequence, bit-parallel (Hyyrö 2004)."""
    at, full = _masks(a), (1 << len(a)) - 1
    open_ = full
    for item in b:
        match = at.get(item, 0) & open_
        open_ = ((open_ + match) | (open_ - match)) & full
    return len(a) - open_.bit_count()


def _masks(items: Sequence[Hashable]) -> dict[Hashable, int]:
    """Where each item stands, as the bits of a whole number."""
    places: dict[Hashable, int] = {}
    for i, item in enumerate(items):
        places[item] = places.get(item, 0) | (1 << i)
    return places


def grams(items: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """How often each run of n items occurs."""
    return Counter(zip(*(items[i:] for i in range(n)), strict=False))


def shared(a: Counter[tuple[str, ...]], b: Counter[tuple[str, ...]]) -> int:
    """How many runs two counts have in common, each as often as in both."""
    few, many = (a, b) if len(a) <= len(b) else (b, a)
    return sum(min(count, many[gram]) for gram, count in few.items() if gram in many)


def f1(both: int, found: int, wanted: int) -> float:
    """2 both / (found + wanted), the harmonic mean of precision and recall; 0 where nothing is shared."""
    return 2 * both / (found + wanted) if both else 0.0


def mean_of_ratio(means: np.ndarray) -> np.ndarray:
    """The first mean over the second (last axis), NaN where that is 0."""
    above, below = means[..., 0], means[..., 1]
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0))
