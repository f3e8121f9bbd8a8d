"""What terms about the layers of transformer encoders share: which layers, which positions count, how attention is compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch.nn import functional

from kdbench import IGNORED, Batch, Outputs, Refusal

NOWHERE = -1e9
"""The score of a key that is padding."""


def hidden(term: str, taps: Mapping[str, torch.Tensor], who: str) -> list[torch.Tensor]:
    """What leaves each layer, (b, length, width), shallow to deep: all such taps but the first, which enters the first layer.
    Raises Refusal for a network without layers.
    """
    found = [value for value in taps.values() if value.ndim == 3]
    if len(found) < 2:
        raise Refusal(f"{term}: the {who} has {len(found)} taps of tokens; needed: its embeddings and at least one layer")
    return found[1:]


def uniform(students: int, teachers: int) -> list[int]:
    """The teacher's layer (1 is the first) for each of the student's, evenly spread and ending at the last."""
    return [k * teachers // students for k in range(1, students + 1)]


def layer_map(term: str, layers: Sequence[int] | None, students: int, teachers: int) -> list[int]:
    """`layers`, or `uniform` where none are given. Raises Refusal for another number of layers, and for one that is not there."""
    if layers is None:
        if students > teachers:
            raise Refusal(f"{term}: the student has {students} layers, the teacher {teachers}; say which with `layers`")
        return uniform(students, teachers)
    if len(layers) != students or not all(1 <= layer <= teachers for layer in layers):
        wanted = f"a layer of the teacher, 1 to {teachers}, for each of the student's {students}"
        raise Refusal(f"{term}: layers {list(layers)} (allowed: {wanted})")
    return list(layers)


def mean_over_tokens(values: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The mean of a number per position (b, length): over the tokens of each example, then over examples; where labels are given
    for each position, over all positions that have one. Padding never counts.
    """
    if batch.y.shape == values.shape and not batch.y.is_floating_point():
        return values[batch.y != IGNORED].mean()
    mask = batch.mask
    if mask is None:
        return values.mean()
    return ((values * mask).sum(1) / mask.sum(1).clamp(min=1)).mean()


def projections(term: str, outputs: Outputs, role: str, who: str) -> tuple[torch.Tensor, ...]:
    """The queries, keys or values of each layer, (b, heads, length, size). Raises Refusal where there are none: their loss would
    be 0 and nobody would know.
    """
    found = outputs.inner.get(role, ())
    if not found:
        raise Refusal(f"{term}: the {who} gives no {role} of its attention")
    return found


def scores(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Q K^T / sqrt(size), (b, heads, length, length): attention before its softmax, and before its mask."""
    return torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(query.shape[-1])


def comparable(term: str, a_s: torch.Tensor, a_t: torch.Tensor, batch: Batch) -> None:
    """Raises Refusal for networks of different numbers of heads, and where a token must not look at the ones after it: a term
    would compare what the network never computes.
    """
    if a_s.shape != a_t.shape:
        raise Refusal(f"{term}: {a_s.shape[1]} heads in the student, {a_t.shape[1]} in the teacher; they must be equally many")
    if batch.y.ndim == 2 and not batch.y.is_floating_point():
        raise Refusal(f"{term}: compares attention of encoders, in which each token looks at all others")


def divergence(term: str, scores_s: torch.Tensor, scores_t: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Mean over examples of the mean over heads and tokens of KL(softmax(scores_t) || softmax(scores_s)), over keys that are no
    padding. scores: (b, heads, length, length), of equally many heads.
    """
    comparable(term, scores_s, scores_t, batch)
    if batch.mask is not None:
        away = ~batch.mask[:, None, None, :]
        scores_s, scores_t = scores_s.masked_fill(away, NOWHERE), scores_t.masked_fill(away, NOWHERE)
    log_s, log_t = functional.log_softmax(scores_s, -1), functional.log_softmax(scores_t, -1)
    return mean_over_tokens((log_t.exp() * (log_t - log_s)).sum(-1).mean(1), batch)
