"""Depthwise separable convolutions for keywords on microcontrollers."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from kdbench import Count, Shape, model


class _Map(nn.Module):
    """Log-mels (b, mels, frames) as an image of one channel, (b, 1, frames, mels)."""

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        return audio.transpose(1, 2).unsqueeze(1)


def _separable(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
    )  # fmt: skip


@model(
    kinds=("audio",),
    taps=("stem", "blocks.*", "pooled"),
    paper="Zhang et al. 2017, Hello Edge: Keyword Spotting on Microcontrollers, arXiv:1711.07128 (DS-CNN)",
)
def keyword_dscnn(
    shape: Shape, *, width: Count = 64, blocks: Count = 4, time_stride: Count = 2, frequency_stride: Count = 2
) -> nn.Module:
    """A convolution of 10 frames by 4 bands, then blocks of depthwise 3x3 and pointwise 1x1 convolution, all of one width.

    Input log-mels (b, mels, frames) of any size; gives logits (b, classes). The paper's DS-CNN-S is width 64, 4 blocks, on 10
    coefficients (MFCC) and 49 frames; with 40 bands, a frequency_stride of 4 costs about the same.

    Conventions. Maps are (b, channels, frames, mels). Each convolution has a batch norm, a ReLU and no bias; sizes are those of
    "same" padding, ceil(size / stride), with the padding split evenly as torch does. Global average pooling. Convolutions start
    He-normal (fan in).
    Taps: the stem and each block after their last ReLU, and the pooled vector.
    """
    mels, frames = shape.inputs["audio"]
    stride = (time_stride, frequency_stride)
    pads = [_same(size, kernel, step) for size, kernel, step in zip((mels, frames), (4, 10), stride[::-1], strict=True)]
    stem = nn.Sequential(
        _Map(), nn.ZeroPad2d((*pads[0], *pads[1])), nn.Conv2d(1, width, (10, 4), stride, bias=False), nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )  # fmt: skip
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    separable = nn.Sequential(*(_separable(width) for _ in range(blocks)))
    parts = OrderedDict(stem=stem, blocks=separable, pooled=pooled, classifier=nn.Linear(width, shape.classes))
    net = nn.Sequential(parts)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    return net


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an axis, so that ceil(size / stride) places are left."""
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2
