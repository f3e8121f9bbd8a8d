"""Hints: the student's intermediate features predict the teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional

from kdbench import Batch, Outputs, Refusal, Whole, method

from ._encoders import mean_over_tokens

_Tap = TypeVar("_Tap")


@method(
    recipe={"ce": 1.0, "fitnets": 100.0}, taps=True, paper="Romero et al. 2015, FitNets: Hints for Thin Deep Nets, equation 3"
)
def fitnets(student: Outputs, teacher: Outputs, batch: Batch, state: nn.Module, *, hint: Whole = 2) -> torch.Tensor:
    """L = mean (r(f_s) - f_t)^2, with f the tap number `hint` of each network (f0 is the stem) and r a learned regressor.

    Conventions. The mean is over examples, channels and positions (RepDistiller, mdistiller; the paper halves a sum). For maps
    r is a 1x1 convolution, batch norm and ReLU: the regressor of those two code bases with the smallest kernel, whose batch
    norm is what makes weight 100 stable. For vectors and tokens r is linear with a bias; padding does not count. r is trained
    with the student and dropped at the end. Where maps differ in size both are average-pooled to the smaller one. One stage: the
    term stands beside cross-entropy all the time, unlike the paper's two stages; give it `stop` to end it. Weight 100 and hint 2
    as in RepDistiller.
    """
    f_s, f_t = _tap(student.taps, hint, "student"), _tap(teacher.taps, hint, "teacher")
    if f_s.ndim == 4:
        size = (min(f_s.shape[2], f_t.shape[2]), min(f_s.shape[3], f_t.shape[3]))
        f_s, f_t = _pool(f_s, size), _pool(f_t, size)
    if f_s.ndim == 3:
        return mean_over_tokens((state(f_s) - f_t).square().mean(-1), batch)
    return functional.mse_loss(state(f_s), f_t)


def state(shapes: Mapping[str, Mapping[str, tuple[int, ...]]], n_train: int, *, hint: Whole = 2) -> nn.Module:
    """The regressor from the student's channels to the teacher's."""
    f_s, f_t = _tap(shapes["student"], hint, "student"), _tap(shapes["teacher"], hint, "teacher")
    if len(f_s) != len(f_t):
        raise Refusal(f"fitnets: tap {hint} is {f_s} in the student and {f_t} in the teacher; both must be maps, or both vectors")
    if len(f_s) == 3:
        return nn.Sequential(nn.Conv2d(f_s[0], f_t[0], 1, bias=False), nn.BatchNorm2d(f_t[0]), nn.ReLU())
    if f_s[:-1] != f_t[:-1]:
        raise Refusal(f"fitnets: tap {hint} is {f_s} in the student and {f_t} in the teacher; all but the last size must agree")
    return nn.Linear(f_s[-1], f_t[-1])


def _tap(taps: Mapping[str, _Tap], hint: int, whose: str) -> _Tap:
    if hint >= len(taps):
        raise Refusal(f"fitnets: the {whose} has {len(taps)} taps, so hint must be below {len(taps)}, not {hint}")
    return list(taps.values())[hint]


def _pool(f: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return f if f.shape[2:] == size else functional.adaptive_avg_pool2d(f, size)
