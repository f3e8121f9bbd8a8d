"""Words are lost, as in a hasty note or a bad transcript."""

from __future__ import annotations

import numpy as np

from kdbench import shift
from kdbench.shifts._words import each, join, split

SHARE = (0.05, 0.10, 0.20, 0.30, 0.40)


@shift(kinds=("text",))
def word_drop(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """5, 10, 20, 30, 40 % of the words are left out; x object (n, k) of str. The last word that is left is never dropped.

    Labels stay, although a text that lost its one telling word may no longer deserve its own: the curve shows how fast that
    happens, alike for all models. The words lost at a lower severity are among those of a higher.
    """
    share = SHARE[severity - 1]

    def change(text: str, rng: np.random.Generator) -> str:
        words, gaps = split(text)
        luck = rng.random(len(words))
        for i in np.flatnonzero(luck < min(share, luck.max(initial=0))).tolist():
            words[i] = ""
        return join(words, gaps)

    return each(x, rng, change)
