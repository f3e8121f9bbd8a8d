"""Patient knowledge distillation: [CLS] looks alike layer by layer."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional

from kdbench import Outputs, Refusal, method

from ._encoders import hidden


@method(
    recipe={"ce": 0.5, "kd": {"weight": 0.5, "temperature": 10.0}, "patient_kd": 100.0},
    taps=True,
    paper="Sun et al. 2019, Patient Knowledge Distillation for BERT Model Compression, section 3.2 (L_PT)",
)
def patient_kd(student: Outputs, teacher: Outputs, *, layers: Literal["skip", "last"] = "skip") -> torch.Tensor:
    """L = mean over i, j, d of (h_s,ij / |h_s,ij| - h_t,iI(j) / |h_t,iI(j)|)_d^2, with h_ij the hidden state of the first token
    of example i after layer j = 1..M - 1 of the student.

    Conventions. layers "skip": I(j) = j N / M of the teacher's N layers (rounded down), "last": I(j) = N - M + j; of 12 and 6
    layers 2, 4, .., 10 and 7, .., 11. The last layer is left out, as in the paper. Mean over examples, layers and dimensions as
    in the authors' code, to which their weights belong; the paper writes a sum. Networks must be equally wide. The recipe is in
    the middle of the paper's grids: 0.5 cross-entropy + 0.5 kd at T = 10 + 100; the authors' kd is divided by the classes too.
    """
    h_s, h_t = (hidden("patient_kd", outputs.taps, who) for outputs, who in ((student, "student"), (teacher, "teacher")))
    m, n = len(h_s), len(h_t)
    if m < 2 or n < m:
        raise Refusal(
            f"patient_kd: {m} layers in the student, {n} in the teacher (allowed: 2 or more, and no more than the teacher)"
        )
    chosen = [j * n // m if layers == "skip" else n - m + j for j in range(1, m)]
    z_s = torch.stack([h[:, 0] for h in h_s[:-1]], 1)
    z_t = torch.stack([h_t[layer - 1][:, 0] for layer in chosen], 1)
    if z_s.shape != z_t.shape:
        raise Refusal(f"patient_kd: hidden states of {z_s.shape[-1]} and {z_t.shape[-1]} numbers; the paper's are equally wide")
    return functional.mse_loss(functional.normalize(z_s, dim=-1), functional.normalize(z_t, dim=-1))
