"""The generalised Jensen-Shannon divergence of GKD, from forward KL (beta 0) to reverse KL (beta 1)."""

from __future__ import annotations

from typing import Literal

import torch

from kdbench import Batch, Fraction, Outputs, Positive, method

from . import _divergence


@method(
    recipe={"jsd": 1.0},
    paper="Agarwal et al. 2024, On-Policy Distillation of Language Models (GKD), equation 1",
)
def jsd(
    student: Outputs,
    teacher: Outputs,
    batch: Batch,
    *,
    beta: Fraction = 0.5,
    scale: Literal["none", "continuous"] = "none",
    temperature: Positive = 1.0,
) -> torch.Tensor:
    """L = T^2 mean_i [b KL(p_t,i || m_i) + (1 - b) KL(p_s,i || m_i)], m = b p_t + (1 - b) p_s, p = softmax(z / T).

    Conventions. End points, handled exactly and as in TRL: beta 0 is forward KL(p_t || p_s), beta 1 is reverse KL(p_s || p_t);
    beta 0.5 is the symmetric Jensen-Shannon divergence. The formula itself tends to 0 at both ends (as b KL(p_t || p_s) and (1 -
    b) KL(p_s || p_t)), so between 0 and 0.01 the loss jumps. scale: "none" leaves that as published; "continuous" divides
    the inside by b (1 - b), which meets both end points, and is 4 times as large at 0.5. Mean over all positions of the batch
    whose label is not -100, as in TRL (the paper's equation 2 averages over the tokens of each text first, so that a short text
    counts as much as a long one), or over examples; T^2 is inside, as in `kd` (TRL has none: it draws at a temperature of 0.9 and
    compares at 1). GKD is this term beside the view `on_policy`.
    """
    if beta in (0.0, 1.0):
        rule = _divergence.reverse_kl if beta else _divergence.forward_kl
        return _divergence.between(student, teacher, batch, rule, temperature)
    value = _divergence.between(student, teacher, batch, _divergence.mixed(beta), temperature)
    return value / (beta * (1 - beta)) if scale == "continuous" else value
