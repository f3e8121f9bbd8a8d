"""Distillation from what was recorded of a teacher: its k likeliest tokens at each position."""

from __future__ import annotations

from typing import Literal

import torch

from kdbench import Batch, Count, Outputs, TopK, method

from . import _divergence

_ESTIMATORS = {
    "tail_bucket": _divergence.bucketed,
    "drop_tail": _divergence.truncated,
    "renormalise": _divergence.conditional,
}


@method(
    recipe={"ce": 0.5, "top_k_kd": 0.5},
    paper="Anshumann et al. 2025, Sparse Logit Sampling: Accelerating Knowledge Distillation in LLMs (why the top k is biased)",
)
def top_k_kd(
    student: Outputs,
    batch: Batch,
    top_k: TopK,
    *,
    k: Count = 32,
    estimator: Literal["tail_bucket", "drop_tail", "renormalise"] = "tail_bucket",
) -> torch.Tensor:
    """L = mean_i of an estimate of KL(p_t,i || p_s,i) from the k largest p_t,i, at temperature 1.

    Conventions. estimator "tail_bucket": sum over the k of p_t (log p_t - log p_s), plus the same of one bucket that holds all
    the rest: the divergence of a coarser view, never above the whole one. "drop_tail": the sum over the k alone; biased, may be
    negative, smallest at p_s = p_t / c with c the covered mass. "renormalise": both are conditioned on the k: KL(p_t / c_t || p_s
    / c_s); it says nothing about how likely the k are together. (To renormalise the teacher alone would add -log c, most where
    the record is worst.) How much mass the k cover is in the fit's record and in `top_k.json`. k: how many are recorded, once for
    all fits that ask for as many; where the record has more, those beyond k are part of the rest. Mean over all positions of the
    batch whose label is not -100.
    """
    held = top_k.first(k)
    return _divergence.mean(student, batch, _ESTIMATORS[estimator], held.log_probability, held.ids, held.rest)
