"""Attention transfer: the student looks where the teacher looks."""

from __future__ import annotations

import torch
from torch.nn import functional

from kdbench import Outputs, Positive, Refusal, method


@method(
    recipe={"ce": 1.0, "attention_transfer": 1000.0},
    taps=True,
    paper="Zagoruyko & Komodakis 2017, Paying More Attention to Attention, equation 2",
)
def attention_transfer(student: Outputs, teacher: Outputs, *, p: Positive = 2.0) -> torch.Tensor:
    """L = sum_j mean (Q_s,j / |Q_s,j| - Q_t,j / |Q_t,j|)^2, with Q_j = vec(mean over channels of |f_j|^p).

    Conventions. Layers f1 .. f_last-1: all taps that are maps but the stem (the pooled vector is none); the networks must have
    equally many. |.| is the Euclidean norm of the flattened map. The mean is over examples and positions, the sum over layers,
    as in the authors' code and RepDistiller; the paper writes beta / 2 and a p-norm. Weight 1000 as in RepDistiller (no half).
    Where maps differ in size both feature maps are average-pooled to the smaller one before Q.
    """
    f_s = [f for f in student.taps.values() if f.ndim == 4][1:]
    f_t = [f for f in teacher.taps.values() if f.ndim == 4][1:]
    if not f_s or len(f_s) != len(f_t):
        raise Refusal(
            f"attention_transfer: student and teacher need equally many maps after the stem, not {len(f_s)} and {len(f_t)}"
        )
    return torch.stack([_distance(s, t, p) for s, t in zip(f_s, f_t, strict=True)]).sum()


def _distance(f_s: torch.Tensor, f_t: torch.Tensor, p: float) -> torch.Tensor:
    size = (min(f_s.shape[2], f_t.shape[2]), min(f_s.shape[3], f_t.shape[3]))
    return (_attention(_pool(f_s, size), p) - _attention(_pool(f_t, size), p)).square().mean()


def _attention(f: torch.Tensor, p: float) -> torch.Tensor:
    q = (f.square() if p == 2 else f.abs().pow(p)).mean(1).flatten(1)
    return functional.normalize(q, dim=1)


def _pool(f: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return f if f.shape[2:] == size else functional.adaptive_avg_pool2d(f, size)
