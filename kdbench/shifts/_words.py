"""Takes texts apart so that a shift can change some words or letters and put the rest together as it was.

Words are what stands between white space: a text in a script that writes none is one word. A letter is a letter with all that
is written on or joined to it (accents, vowel signs, variation selectors), so that no shift tears a character apart. Emoji, digits
and punctuation are no letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import numpy as np

WORD = re.compile(r"\S+")
JOINER = "\u200d"

Change = Callable[[str, np.random.Generator], str]


def each(x: np.ndarray, rng: np.random.Generator, change: Change) -> np.ndarray:
    """A copy of x, object (n, k) of str, with every text changed. What `change` draws must depend on the text alone, not on the
    severity, so that all severities see the same draws.
    """
    out = np.empty_like(x)
    for place, text in np.ndenumerate(x):
        out[place] = change(text, rng)
    return out


def split(text: str) -> tuple[list[str], list[str]]:
    """(words, gaps): gaps[i] stands before words[i], and the last gap at the end, so there is one gap more."""
    words, gaps, end = [], [], 0
    for found in WORD.finditer(text):
        words.append(found.group())
        gaps.append(text[end : found.start()])
        end = found.end()
    return words, [*gaps, text[end:]]


def join(words: list[str], gaps: list[str]) -> str:
    """The text of words and gaps; a word that has become empty takes the gap before it along, the first one that after it."""
    out, opened = [gaps[0]], False
    for word, gap in zip(words, gaps, strict=False):
        if word:
            out += [gap, word] if opened else [word]
            opened = True
    return "".join([*out, gaps[-1]]) if words else gaps[-1]


def letters(text: str) -> tuple[list[str], list[int]]:
    """(units, places): the text in pieces that belong together, and which of them are letters."""
    units = list(text) if text.isascii() else _clusters(text)
    return units, [i for i, unit in enumerate(units) if unit[0].isalpha()]


def _clusters(text: str) -> list[str]:
    units: list[str] = []
    for c in text:
        if units and (units[-1][-1] == JOINER or _joins(c)):
            units[-1] += c
        else:
            units.append(c)
    return units


def _joins(c: str) -> bool:
    """Whether a character belongs to the one before it."""
    if c < "\u0300":
        return False
    return c == JOINER or unicodedata.category(c)[0] == "M" or "\u1160" <= c <= "\u11ff" or "\U0001f3fb" <= c <= "\U0001f3ff"
