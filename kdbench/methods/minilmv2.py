"""MiniLMv2: relations among queries, among keys and among values."""

from __future__ import annotations

import math

import torch

from kdbench import Batch, Outputs, Refusal, Whole, method

from ._encoders import divergence, projections, scores

MOST = 48
"""The relation heads that the paper gives a teacher of base size; 64 for a large one."""


@method(
    recipe={"minilmv2": {"weight": 1.0, "stop": 0.5}, "ce": {"weight": 1.0, "start": 0.5}},
    inner=True,
    paper="Wang et al. 2021, MiniLMv2: Multi-Head Self-Attention Relation Distillation",
)
def minilmv2(
    student: Outputs, teacher: Outputs, batch: Batch, *, relation_heads: Whole = 0, teacher_layer: Whole = 0
) -> torch.Tensor:
    """L = sum over X in Q, K, V of the mean over relation heads a and tokens t of KL(R_t,at || R_s,at), with R_a = softmax(X_a
    X_a^T / sqrt(d_r)) and X_a the a-th of equal parts of all heads of X laid side by side.

    Conventions. KL from the teacher to the student; mean over the relation heads and tokens of an example, then over examples;
    all three weights 1. Padding is neither a query nor a key. The student's last layer learns from teacher_layer (1 is the
    first, 0 the last; the paper chooses it, and not always the last). relation_heads must divide both widths; 0 is the largest
    such number up to 48, the paper's for a teacher of base size. Any width and any number of heads. The recipe is the paper's
    order, distil, then fine-tune on labels; each gets half of training here.
    """
    total = torch.zeros(())
    for role in ("query", "key", "value"):
        x_s = projections("minilmv2", student, role, "student")[-1]
        layers = projections("minilmv2", teacher, role, "teacher")
        if teacher_layer > len(layers):
            raise Refusal(f"minilmv2: teacher_layer {teacher_layer} (allowed: 1 to {len(layers)}, or 0 for the last)")
        x_t = layers[teacher_layer - 1]
        heads = relation_heads or _common(_width(x_s), _width(x_t))
        r_s, r_t = (scores(part, part) for part in (_parts(x_s, heads, "student"), _parts(x_t, heads, "teacher")))
        total = total + divergence("minilmv2", r_s, r_t, batch)
    return total


def _width(x: torch.Tensor) -> int:
    return int(x.shape[1] * x.shape[3])


def _common(width_s: int, width_t: int) -> int:
    both = math.gcd(width_s, width_t)
    return max(heads for heads in range(1, MOST + 1) if both % heads == 0)


def _parts(x: torch.Tensor, heads: int, who: str) -> torch.Tensor:
    """(b, heads, length, size) as (b, relation heads, length, size of these)."""
    if _width(x) % heads:
        raise Refusal(f"minilmv2: {heads} relation heads do not divide the {who}'s width {_width(x)}")
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], heads, -1).transpose(1, 2)
