"""Which of the texts that a teacher wrote are kept: length, repetition, forbidden words, and copies of each other."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

SHINGLE = 3
"""Words in a row that are compared: texts are near copies where they share many such runs."""
BANDS, ROWS = 64, 3
"""Of the min-hash signatures: two texts of Jaccard similarity s meet in some band with probability 1 - (1 - s^3)^64, which is
0.9999998 at 0.6 and 0.9998 at 0.5; those that meet are then compared exactly.
"""
PRIME = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Rules:
    """least, most: words (0: no bound above); repetition: the share of runs of three words that stood before in the same text,
    at most; blocklist: a text that holds one of these, in any case, is dropped; near: of two texts whose sets of runs have this
    Jaccard similarity or more the later one is dropped, 1 for exact copies only.
    """

    least: int = 1
    most: int = 0
    repetition: float = 0.5
    blocklist: Sequence[str] = ()
    near: float = 0.8


def kept(written: Sequence[str], whole: Sequence[str], rules: Rules) -> tuple[list[int], str]:
    """The places of the texts that are kept, and what was dropped, for a note. written: what the teacher wrote; whole: with what
    it wrote it after, which is compared for copies.
    """
    forbidden = [word.casefold() for word in rules.blocklist if word]
    dropped = dict.fromkeys(("too short", "too long", "repetitive", "blocked", "copies", "near copies"), 0)
    left = []
    for i, text in enumerate(written):
        why = _why(text, rules, forbidden)
        if why:
            dropped[why] += 1
        else:
            left.append(i)
    first = _first([" ".join(whole[i].split()).casefold() for i in left])
    dropped["copies"] = len(left) - len(first)
    left = [left[i] for i in first]
    if rules.near < 1:
        apart = distinct([whole[i] for i in left], rules.near)
        dropped["near copies"] = len(left) - len(apart)
        left = [left[i] for i in apart]
    said = ", ".join(f"{count} {why}" for why, count in dropped.items() if count)
    return left, f"{len(left)} of {len(written)} written texts were kept ({said or 'none dropped'})"


def repeated(text: str) -> float:
    """The share of runs of three words that stood before in the text; 0 for fewer than three words."""
    runs = shingles(text.split())
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def shingles(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Every run of three words."""
    return list(zip(*(words[i:] for i in range(SHINGLE)), strict=False))


def distinct(texts: Sequence[str], near: float) -> list[int]:
    """The places of texts of which none is a near copy of an earlier one that stays: Jaccard similarity of their sets of runs,
    found by min-hash (Broder 1997) in bands, then computed exactly. Texts of fewer than three words are compared by their words.
    """
    sets = [_runs(text) for text in texts]
    signatures = _signatures(sets)
    seen: dict[tuple[int, bytes], list[int]] = {}
    stay = []
    for i, own in enumerate(sets):
        keys = [(band, signatures[i, band * ROWS : (band + 1) * ROWS].tobytes()) for band in range(BANDS)]
        others = {j for key in keys for j in seen.get(key, ())}
        if any(len(own & sets[j]) >= near * len(own | sets[j]) for j in others):
            continue
        stay.append(i)
        for key in keys:
            seen.setdefault(key, []).append(i)
    return stay


def _why(text: str, rules: Rules, forbidden: Iterable[str]) -> str:
    words, folded = text.split(), text.casefold()
    if len(words) < rules.least:
        return "too short"
    if rules.most and len(words) > rules.most:
        return "too long"
    if repeated(text) > rules.repetition:
        return "repetitive"
    return "blocked" if any(word in folded for word in forbidden) else ""


def _first(texts: Sequence[str]) -> list[int]:
    place: dict[str, int] = {}
    for i, text in enumerate(texts):
        place.setdefault(text, i)
    return list(place.values())


def _runs(text: str) -> frozenset[int]:
    words = text.casefold().split()
    runs: Sequence[tuple[str, ...]] = shingles(words) or [tuple(words)]
    return frozenset(zlib.crc32("\x1f".join(run).encode("utf-8", "surrogatepass")) for run in runs)


def _signatures(sets: Sequence[frozenset[int]]) -> np.ndarray:
    """int64 (n, BANDS * ROWS): the least value of each of many hash functions over the runs of a text."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, PRIME, BANDS * ROWS), rng.integers(0, PRIME, BANDS * ROWS)
    found = np.zeros((len(sets), BANDS * ROWS), np.int64)
    for i, own in enumerate(sets):
        values = np.fromiter(own, np.int64, len(own)) % PRIME
        found[i] = ((values[:, None] * a + b) % PRIME).min(axis=0)
    return found
