"""BLEU: n-grams of a translation that its reference has, over the whole corpus, with a penalty where it is shorter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from kdbench import Predictions, metric

from ._written import grams, pairs

ORDERS = 4
STEPS = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
"""mteval-v13a: marks stand alone; a point or comma between digits, and a dash after none, does not."""
ENTITIES = (("<skipped>", ""), ("-\n", ""), ("\n", " "), ("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


@metric(
    form="set",
    better="higher",
    unit="points",
    low=0.0,
    high=100.0,
    axis="quality",
    title="BLEU",
    equation="100 min(1, exp(1 - r/c)) exp((1/4) sum_n log p_n), p_n: clipped matches of n-grams over their number, both summed "
    "over the corpus; c, r: words written, words of the references",
    source="Papineni et al. 2002; Post 2018; the numbers of sacrebleu 2.6 (case.mixed, eff.no)",
    reads="texts",
    convention="corpus level, 0..100 as sacrebleu prints it (not the mean of sentence BLEU); case kept; of several references "
    "each n-gram counts as often as in the one that has it most, and the length nearest to the text's counts, the shorter of "
    "two; smooth 'exp' (sacrebleu's default): an order without a match counts 1/2, 1/4, ... matches",
)
def bleu(
    predictions: Predictions, weights: np.ndarray | None = None, *,
    tokenize: Literal["13a", "char", "none"] = "13a", smooth: Literal["exp", "none"] = "exp",
) -> np.ndarray | float:  # fmt: skip
    """BLEU of the corpus. weights (draws, n) gives (draws,): the counts of a draw are sums of those of its texts."""
    rows = np.array([_counts(text, references, tokenize) for text, references in pairs(predictions)], dtype=np.float64)
    if weights is None:
        return float(_score(rows.sum(axis=0)[None], smooth)[0])
    return _score(weights.astype(np.float64) @ rows, smooth)


@lru_cache(maxsize=20_000)
def _counts(text: str, references: tuple[str, ...], tokenize: str) -> tuple[int, ...]:
    """Words written, words of the reference, then for each order the matches and the n-grams written. Kept: the same texts are
    asked for by each group of a task.
    """
    words, wanted = _words(text, tokenize), [_words(reference, tokenize) for reference in references]
    nearest = min((abs(len(words) - len(one)), len(one)) for one in wanted)[1]
    matches, total = [], []
    for n in range(1, ORDERS + 1):
        mine, clip = grams(words, n), grams(wanted[0], n)
        for one in wanted[1:]:
            clip |= grams(one, n)
        matches.append(sum(min(count, clip[gram]) for gram, count in mine.items() if gram in clip))
        total.append(max(len(words) - n + 1, 0))
    return (len(words), nearest, *matches, *total)


def _score(counted: np.ndarray, smooth: str) -> np.ndarray:
    """BLEU (k,) of counts (k, 2 + 2 * ORDERS). 0 where no word matches, and where no text has so many words as an order."""
    length, wanted = counted[:, 0], counted[:, 1]
    matches, total = counted[:, 2 : 2 + ORDERS], counted[:, 2 + ORDERS :]
    missing = np.asarray((matches == 0) & (total > 0))
    if smooth == "exp":
        matches = np.where(missing, 0.5 ** np.cumsum(missing, axis=1), matches)
    some = counted[:, 2 : 2 + ORDERS].any(axis=1)
    possible = np.asarray((matches > 0).all(axis=1) & (total > 0).all(axis=1) & some)
    precision = np.divide(matches, total, out=np.ones(total.shape), where=possible[:, None])
    ratio = np.divide(wanted, length, out=np.ones(length.shape), where=length > 0)
    value = 100 * np.exp(np.minimum(0.0, 1 - ratio)) * np.exp(np.log(precision).mean(axis=1))
    return np.where(possible, value, 0.0)


def _words(text: str, tokenize: str) -> Sequence[str]:
    text = text.rstrip()
    if tokenize == "char":
        return " ".join(text).split()
    if tokenize == "13a":
        for old, new in ENTITIES:
            text = text.replace(old, new)
        text = f" {text} "
        for pattern, new in STEPS:
            text = pattern.sub(new, text)
    return text.split()
