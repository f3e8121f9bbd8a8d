"""Distillation by the reverse divergence: the student is not to say what the teacher would not."""

from __future__ import annotations

import torch

from kdbench import Batch, Outputs, Positive, method

from . import _divergence


@method(
    recipe={"reverse_kl": 1.0},
    paper="Gu et al. 2024, MiniLLM: Knowledge Distillation of Large Language Models (reverse KL)",
)
def reverse_kl(student: Outputs, teacher: Outputs, batch: Batch, *, temperature: Positive = 1.0) -> torch.Tensor:
    """L = T^2 mean_i sum_c p_s,ic (log p_s,ic - log p_t,ic), with p = softmax(z / T).

    Conventions. KL from the student to the teacher, which seeks modes; `kd` is the other direction. Sum over the vocabulary, mean
    over all positions of the batch whose label is not -100 (not a mean of the means of sequences), or over examples; the factor
    T^2 is inside, as in `kd`. It is taken position by position on the tokens that stand in the batch, with the exact gradient;
    MiniLLM's objective over whole texts of the student's own, by policy gradient, is another one: beside the view `on_policy`
    this is its single-step part.
    """
    return _divergence.between(student, teacher, batch, _divergence.reverse_kl, temperature)
