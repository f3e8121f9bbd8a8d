"""Skew divergences of DistiLLM: the second distribution is mixed with a little of the first."""

from __future__ import annotations

from typing import Literal

import torch

from kdbench import Batch, Outputs, Positive, ProperFraction, method

from . import _divergence


@method(
    recipe={"skew_kl": 1.0},
    paper="Ko et al. 2024, DistiLLM: Towards Streamlined Distillation for Large Language Models (skew KL)",
)
def skew_kl(
    student: Outputs,
    teacher: Outputs,
    batch: Batch,
    *,
    skew: ProperFraction = 0.1,
    direction: Literal["forward", "reverse"] = "forward",
    temperature: Positive = 1.0,
) -> torch.Tensor:
    """L = T^2 mean_i KL(p_t,i || l p_t,i + (1 - l) p_s,i), or reverse KL(p_s,i || (1 - l) p_t,i + l p_s,i), p = softmax(z / T).

    Conventions. direction "forward" is SFKL, "reverse" SRKL; skew l = 0.1 as in the authors' scripts. Bounded by -log l, which
    keeps gradients small where the two disagree; at l = 0 they would be `kd` and `reverse_kl`. Mean over all positions of
    the batch whose label is not -100, or over examples; T^2 is inside, as in `kd` (the authors have no temperature). Their
    adaptive replay of student texts is not part of the term.
    """
    rule = _divergence.skewed_forward(skew) if direction == "forward" else _divergence.skewed_reverse(skew)
    return _divergence.between(student, teacher, batch, rule, temperature)
