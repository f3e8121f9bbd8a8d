"""Distillation from the student as it was one epoch ago."""

import torch
from torch.nn import functional

from kdbench import Batch, Outputs, method

SEEN = []


@method(recipe={"ce": 1.0, "self_kd": 0.5})
def self_kd(student: Outputs, previous: Outputs, batch: Batch) -> torch.Tensor:
    """L = mean_i KL(p_previous || p_student)."""
    SEEN.append((batch.index.clone(), previous.logits.clone()))
    p = functional.softmax(previous.logits, 1)
    return functional.kl_div(functional.log_softmax(student.logits, 1), p, reduction="batchmean")
