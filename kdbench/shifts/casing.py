"""Letters in the wrong case: shouting, no capitals, or at random."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import shift
from kdbench.shifts._words import each, join, split

SHARE = (0.10, 0.25, 0.50, 0.75, 1.00)


@shift(kinds=("text",))
def casing(
    x: np.ndarray, severity: int, rng: np.random.Generator, *, to: Literal["random", "lower", "upper"] = "random"
) -> np.ndarray:
    """10, 25, 50, 75, 100 % of the words change their case; x object (n, k) of str.

    to: "upper", "lower", or "random": each letter of the word by a coin. Scripts without case stay; so do texts of lower case
    with "lower". A model that lower-cases what it reads sees no change. Labels stay. The words of a lower severity are among
    those of a higher. Unicode's full mapping, independent of language ("ß" becomes "SS").
    """
    share = SHARE[severity - 1]

    def change(text: str, rng: np.random.Generator) -> str:
        words, gaps = split(text)
        luck = rng.random(len(words))
        coins = rng.random(sum(map(len, words))) if to == "random" else np.empty(0)
        start = np.cumsum([0, *map(len, words)])
        for i in np.flatnonzero(luck < share).tolist():
            if to == "random":
                pairs = zip(words[i], coins[start[i] : start[i + 1]], strict=True)
                words[i] = "".join(c.upper() if coin < 0.5 else c.lower() for c, coin in pairs)
            else:
                words[i] = words[i].upper() if to == "upper" else words[i].lower()
        return join(words, gaps)

    return each(x, rng, change)
