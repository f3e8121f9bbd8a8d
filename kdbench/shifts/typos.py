"""Slips of the fingers: neighbouring keys, letters lost, doubled, or in the wrong order."""

from __future__ import annotations

import numpy as np

from kdbench import shift
from kdbench.shifts._words import each, letters

SHARE = (0.02, 0.04, 0.07, 0.11, 0.16)
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _neighbours() -> dict[str, str]:
    """The keys beside, above and below each letter of a QWERTY keyboard, whose rows are set off by half a key."""
    place = {c: (r, i + 0.5 * r) for r, row in enumerate(ROWS) for i, c in enumerate(row)}
    near = {
        c: "".join(o for o, (s, j) in place.items() if o != c and abs(s - r) <= 1 and abs(j - i) <= 1)
        for c, (r, i) in place.items()
    }
    return near | {c.upper(): keys.upper() for c, keys in near.items()}


NEAR = _neighbours()


@shift(kinds=("text",))
def typos(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """2, 4, 7, 11, 16 % of the letters are mistyped, each in one of four ways, evenly; x object (n, k) of str.

    A neighbour on a QWERTY keyboard in its place (letters that are not a-z are doubled instead); the letter lost (a word keeps
    its first letter: that one is doubled); the letter twice; the letter and the next one of the word exchanged (at the end of a
    word: doubled). Labels stay. The slips of a lower severity are among those of a higher; a letter counts with its accents.
    """
    share = SHARE[severity - 1]

    def change(text: str, rng: np.random.Generator) -> str:
        units, places = letters(text)
        luck, way, key = rng.random((3, len(places)))
        known = set(places)
        swaps = []
        for k in np.flatnonzero(luck < share).tolist():
            at = places[k]
            if way[k] < 0.25 and units[at] in NEAR:
                near = NEAR[units[at]]
                units[at] = near[int(key[k] * len(near))]
            elif 0.25 <= way[k] < 0.5 and at - 1 in known:
                units[at] = ""
            elif way[k] >= 0.75 and at + 1 in known:
                swaps.append(at)
            else:
                units[at] *= 2
        for at in swaps:
            units[at], units[at + 1] = units[at + 1], units[at]
        return "".join(units)

    return each(x, rng, change)
