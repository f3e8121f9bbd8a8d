"""Knowledge distillation from softened outputs."""

from __future__ import annotations

import torch
from torch.nn import functional

from kdbench import Batch, Outputs, Positive, method

from . import _divergence


@method(
    recipe={"ce": 0.1, "kd": 0.9}, paper="Hinton, Vinyals & Dean 2015, Distilling the Knowledge in a Neural Network, section 2"
)
def kd(student: Outputs, teacher: Outputs, batch: Batch, *, temperature: Positive = 4.0) -> torch.Tensor:
    """L = T^2 mean_i sum_c p_t,ic (log p_t,ic - log p_s,ic), with p = softmax(z / T).

    Conventions. KL from the teacher to the student; sum over classes, mean over examples (never over classes, which would
    weaken it tenfold on ten classes); the factor T^2 is inside. The recipe is RepDistiller's: 0.1 cross-entropy + 0.9 kd at T =
    4. For token sequences the mean is over the positions whose label is not -100.
    """
    t = temperature
    z_s, z_t = student.logits, teacher.logits
    if z_s.ndim == 3:
        return _divergence.between(student, teacher, batch, _divergence.forward_kl, t)
    log_p_s = functional.log_softmax(z_s / t, -1)
    log_p_t = functional.log_softmax(z_t / t, -1)
    return t**2 * functional.kl_div(log_p_s, log_p_t, reduction="batchmean", log_target=True)
