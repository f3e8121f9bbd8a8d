"""Deep mutual learning (Zhang et al. 2018): two students teach each other."""

import torch
from torch.nn import functional

from kdbench import Outputs, method


@method(recipe={"ce": 1.0, "mutual": 1.0}, paper="Zhang et al. 2018, Deep Mutual Learning, equation 5")
def mutual(student: Outputs, peer: Outputs) -> torch.Tensor:
    """L = mean_i KL(p_peer || p_student)."""
    assert not peer.logits.requires_grad
    p = functional.softmax(peer.logits, 1)
    return functional.kl_div(functional.log_softmax(student.logits, 1), p, reduction="batchmean")
