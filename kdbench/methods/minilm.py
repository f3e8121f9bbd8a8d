"""MiniLM: the self-attention of the last layer."""

from __future__ import annotations

import torch

from kdbench import Batch, Outputs, method

from ._encoders import divergence, projections, scores


@method(
    recipe={"minilm": {"weight": 1.0, "stop": 0.5}, "ce": {"weight": 1.0, "start": 0.5}},
    inner=True,
    paper="Wang et al. 2020, MiniLM: Deep Self-Attention Distillation, sections 3.1 and 3.2",
)
def minilm(student: Outputs, teacher: Outputs, batch: Batch) -> torch.Tensor:
    """L = mean over heads a and tokens t of KL(A_t,at || A_s,at) + KL(VR_t,at || VR_s,at), with A = softmax(Q K^T / sqrt(d)) and
    VR = softmax(V V^T / sqrt(d)) of the last layer of each network.

    Conventions. KL from the teacher to the student; mean over the heads and tokens of an example, then over examples. Padding is
    neither a query nor a key. Any width, but equally many heads, as in the paper. The recipe is the paper's order, distil, then
    fine-tune on labels; each gets half of training here.
    """
    total = torch.zeros(())
    for left, right in (("query", "key"), ("value", "value")):
        r_s, r_t = (
            scores(projections("minilm", outputs, left, who)[-1], projections("minilm", outputs, right, who)[-1])
            for outputs, who in ((student, "student"), (teacher, "teacher"))
        )
        total = total + divergence("minilm", r_s, r_t, batch)
    return total
