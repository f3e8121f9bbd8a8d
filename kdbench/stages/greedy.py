"""Greedy decoding: the likeliest token after what is there, again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def greedy(
    ask: Callable[[list[int]], np.ndarray], said: Sequence[list[int]], end: int | None, enough: Callable[[int], bool]
) -> list[bool]:
    """Write on at the end of each list of tokens in `said`, in place. Gives whether each ended by itself.

    ask: the places of k rows in `said` -> the logits (k, vocabulary) of what follows each. end: the token that ends a row and is
    not written, None for none. enough: whether the row of a place is to grow no more, asked before the first token and after
    each that is written. Ties go to the lower token.
    """
    ended = [False] * len(said)
    going = [i for i in range(len(said)) if not enough(i)]
    while going:
        chosen = ask(going).argmax(axis=1).tolist()
        for i, token in zip(going, chosen, strict=True):
            ended[i] = token == end
            if not ended[i]:
                said[i].append(token)
        going = [i for i in going if not ended[i] and not enough(i)]
    return ended
