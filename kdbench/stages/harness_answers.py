"""What a language model says of one continuation, and how requests are put in order for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kdbench.nouns import Refusal


@dataclass(slots=True)
class Told:
    """What was asked about one document: tokens that were scored, how many of them were the likeliest, how many were the one for
    all that the tokenizer does not know, and whether a part of its context was cut off.
    """

    tokens: int = 0
    right: int = 0
    unknown: int = 0
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A log-likelihood in nats of so many tokens; right: how many of them were the likeliest; truncated: whether the beginning of
    their context was cut off; unknown: how many of them were the one for what the tokenizer does not know.
    """

    value: float
    right: int
    tokens: int
    truncated: bool
    unknown: int = 0

    @property
    def greedy(self) -> bool:
        """Whether greedy decoding would give the continuation."""
        return self.right == self.tokens


def scored(scores: torch.Tensor, wanted: Sequence[int], truncated: bool) -> Answer:
    """The answer from log-probabilities (k, vocabulary) before each of the k wanted tokens; summed in their own precision."""
    at = torch.tensor(wanted)
    found = scores.gather(1, at[:, None])[:, 0]
    likeliest = found == scores.amax(dim=-1)
    if likeliest.any():  # of several that are equally likely the first one counts; looked for only here, for it takes long
        likeliest[likeliest.clone()] = scores[likeliest].argmax(dim=-1) == at[likeliest]
    return Answer(float(found.sum()), int(likeliest.sum()), len(wanted), truncated)


def together(parts: Sequence[Answer]) -> Answer:
    """One answer of all parts of a continuation. Raises Refusal where there are none: it has no token."""
    if not parts:
        raise Refusal("a continuation has no tokens: the task asks for nothing")
    if len(parts) == 1:
        return parts[0]
    lost = any(part.truncated for part in parts)
    return Answer(sum(p.value for p in parts), sum(p.right for p in parts), sum(p.tokens for p in parts), lost)


def longest(request: tuple[Any, list[int], list[int]]) -> tuple[int, tuple[int, ...]]:
    """The order of (text, context, continuation): the longest first, as in lm-eval's own model."""
    tokens = request[1] + request[2]
    return -len(tokens), tuple(tokens)


def before_last(request: tuple[Any, list[int], list[int]]) -> list[int]:
    """What requests share whose answers come from one row: all but their last token."""
    return request[1] + request[2][:-1]
