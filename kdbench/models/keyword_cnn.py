"""The small convolutional network of keyword spotting."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from kdbench import Count, Refusal, Shape, model


class _Map(nn.Module):
    """Log-mels (b, mels, frames) as an image of one channel, (b, 1, frames, mels)."""

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        return audio.transpose(1, 2).unsqueeze(1)


@model(
    kinds=("audio",),
    taps=("blocks.*", "hidden"),
    paper="Sainath & Parada 2015, Convolutional Neural Networks for Small-footprint Keyword Spotting (cnn-trad-fpool3)",
)
def keyword_cnn(  # noqa: PLR0913 - the numbers that say which network it is
    shape: Shape, *, width: Count = 64, stride: Count = 4, bottleneck: Count = 32, hidden: Count = 128, time: Count = 20,
    frequency: Count = 8,
) -> nn.Module:  # fmt: skip
    """Two convolutions over time and frequency, a linear bottleneck, a hidden layer, a classifier.

    Input log-mels (b, mels, frames) of any size that the kernels fit in; gives logits (b, classes). width: channels of both
    convolutions; stride: of the first, in time (1 in the paper's cnn-trad-fpool3; 4 in its cnn-tstride4, which also has other
    kernels and widths); time, frequency: the first kernel in frames and bands, the second has half of each.

    Conventions. Maps are (b, channels, frames, mels), no padding. After the first convolution the maximum of 3 bands is taken.
    Unlike the paper, each convolution has a batch norm (and no bias), since nets of this size train in a few epochs with it.
    No ReLU after the bottleneck, as in the paper. Taps: both blocks after ReLU (and pooling), and the hidden layer after ReLU.
    Raises Refusal where the spectrogram is too small for the kernels.
    """
    mels, frames = shape.inputs["audio"]
    second = (max(1, time // 2), max(1, frequency // 2))
    left = (((frames - time) // stride + 1) - second[0] + 1, (mels - frequency + 1) // 3 - second[1] + 1)
    if frames < time or mels < frequency or min(left) < 1:
        text = f"{mels} mels and {frames} frames are too few for kernels of {frequency} and {time}"
        raise Refusal(f"keyword_cnn: {text} (allowed: a smaller frequency, time or stride)")
    first = nn.Sequential(
        _Map(), nn.Conv2d(1, width, (time, frequency), (stride, 1), bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
        nn.MaxPool2d((1, 3)),
    )  # fmt: skip
    then = nn.Sequential(nn.Conv2d(width, width, second, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
    flat = width * left[0] * left[1]
    parts = OrderedDict(
        blocks=nn.Sequential(first, then),
        flat=nn.Flatten(),
        bottleneck=nn.Linear(flat, bottleneck, bias=False),
        hidden=nn.Sequential(nn.Linear(bottleneck, hidden), nn.ReLU(inplace=True)),
        classifier=nn.Linear(hidden, shape.classes),
    )
    return nn.Sequential(parts)
