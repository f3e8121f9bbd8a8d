"""The residual network of small images."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from kdbench import Count, Refusal, Shape, model


class _Block(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outside)
        self.relu = nn.ReLU(inplace=True)
        same = stride == 1 and inside == outside
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return torch.relu(y + self.shortcut(x))


@model(
    kinds=("image",), taps=("stem", "stages.*", "pooled"), paper="He et al. 2016, Deep Residual Learning, section 4.2 (CIFAR-10)"
)
def resnet_cifar(shape: Shape, *, depth: Count = 20, width: Count = 16) -> nn.Module:
    """ResNet for small images: depth = 6n + 2 layers, three stages of n basic blocks with width, 2 width, 4 width channels.

    Input (b, channels, height, width) of any size; gives logits (b, classes). The paper's nets have width 16; "resnet8x4" of the
    distillation literature is depth 8, width 64.

    Conventions. Stem: 3x3, stride 1, no pooling. Strides 1, 2, 2, so 32x32 ends in 8x8 maps, 28x28 in 7x7, 8x8 in 2x2.
    Where size or width changes the shortcut is a 1x1 convolution with batch norm (the paper's option B; its CIFAR nets use A,
    zero padding): it prunes and exports plainly and adds about 1 % parameters at depth 20. Convolutions have no bias and start
    He-normal (fan out), batch norms at 1 and 0, the classifier as torch does. Batch norm: momentum 0.1, eps 1e-5.
    Taps: the stem after ReLU (f0), each stage after its last ReLU (f1, f2, f3), and the pooled vector (f4).
    Raises Refusal where depth is not 6n + 2.
    """
    if depth < 8 or (depth - 2) % 6:
        raise Refusal(f"resnet_cifar: depth must be 6n + 2 (8, 14, 20, 26, 32, ...), not {depth}")
    blocks, inside = (depth - 2) // 6, width
    channels = shape.inputs["image"][0]
    stages = []
    for i in range(3):
        outside, stride = width * 2**i, 1 if i == 0 else 2
        stages.append(
            nn.Sequential(*(_Block(inside if j == 0 else outside, outside, stride if j == 0 else 1) for j in range(blocks)))
        )
        inside = outside
    stem = nn.Sequential(nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    parts = OrderedDict(stem=stem, stages=nn.Sequential(*stages), pooled=pooled, classifier=nn.Linear(inside, shape.classes))
    net = nn.Sequential(parts)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return net
