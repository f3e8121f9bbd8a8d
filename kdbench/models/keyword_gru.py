"""A recurrent network over the frames of a spectrogram."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from kdbench import Count, Shape, model


class _Frames(nn.Module):
    """Log-mels (b, mels, frames) as a sequence of frames, (b, frames, mels)."""

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        return audio.transpose(1, 2)


class _Layer(nn.Module):
    """One GRU layer: (b, frames, features) -> (b, frames, hidden)."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(features, hidden, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.gru(x)[0]
        return output


class _Mean(nn.Module):
    """The mean over frames, (b, frames, d) -> (b, d)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=1)


@model(
    kinds=("audio",),
    taps=("layers.*", "pooled"),
    paper="Zhang et al. 2017, Hello Edge, arXiv:1711.07128 (GRU)",
)
def keyword_gru(shape: Shape, *, hidden: Count = 64, layers: Count = 1) -> nn.Module:
    """GRU layers that read the frames in order, the mean of what they said, a linear classifier.

    Input log-mels (b, mels, frames) of any length; gives logits (b, classes).

    Conventions. The gates are torch's (the reset gate multiplies W h + b, as in cuDNN). One direction. Unlike the authors' code,
    which keeps the last state, the mean over frames is taken: clips end before their rows do, and the last state has read only
    zeros for a while. Taps: each layer's states (b, frames, hidden), and the pooled vector.
    """
    mels, _ = shape.inputs["audio"]
    stack = nn.Sequential(*(_Layer(mels if i == 0 else hidden, hidden) for i in range(layers)))
    return nn.Sequential(OrderedDict(frames=_Frames(), layers=stack, pooled=_Mean(), classifier=nn.Linear(hidden, shape.classes)))
