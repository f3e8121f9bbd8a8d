"""Two texts that are alike for the teacher become alike for the student."""

from __future__ import annotations

import torch

from kdbench import Outputs, Refusal, method

from ._vectors import cosines, others


@method(
    recipe={"similarity_kd": 1.0},
    across=True,
    paper="Tung & Mori 2019, Similarity-Preserving Knowledge Distillation (here of cosines)",
)
def similarity_kd(student: Outputs, teacher: Outputs) -> torch.Tensor:
    """L = mean over i != j of (cos(e_s,i, e_s,j) - cos(e_t,i, e_t,j))^2, all pairs of a batch.

    Conventions. Cosines, where the paper takes dot products of activations and normalises each row of the b x b matrix; the mean
    is over the b (b - 1) pairs of different texts, where the paper divides by b^2. The widths may differ, and nothing is learned
    beside the student. A batch of one text holds no pair, and gives 0.
    """
    s, t = student.logits, teacher.logits
    if s.ndim != 2 or t.ndim != 2:
        raise Refusal(f"similarity_kd: outputs of shapes {tuple(s.shape)} and {tuple(t.shape)}, not one vector for each example")
    if len(s) < 2:
        return s.sum() * 0.0
    pairs = others(s)
    return (cosines(s) - cosines(t.to(s.dtype)))[pairs].square().mean()
