"""The wide residual network."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from kdbench import Count, Fraction, Refusal, Shape, model


class _Block(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outside)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.equal = stride == 1 and inside == outside
        self.shortcut = nn.Identity() if self.equal else nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm1(x))
        # as in the authors' code: where the width changes, the shortcut starts after the first batch norm and ReLU
        side = x if self.equal else self.shortcut(y)
        y = self.conv2(self.dropout(torch.relu(self.norm2(self.conv1(y)))))
        return y + side  # type: ignore[no-any-return]


@model(kinds=("image",), taps=("stem", "stages.*", "pooled"), paper="Zagoruyko & Komodakis 2016, Wide Residual Networks, table 1")
def wrn(shape: Shape, *, depth: Count = 16, widen: Count = 2, dropout: Fraction = 0.0) -> nn.Module:
    """WRN-depth-widen: depth = 6n + 4, a stem of 16 channels, three pre-activation stages of n blocks with 16k, 32k, 64k
    channels.

    Input (b, channels, height, width) of any size; gives logits (b, classes).

    Conventions. Strides 1, 2, 2. Shortcuts are 1x1 convolutions where the width or size changes. Dropout lies between the two
    convolutions of a block. Batch norm and ReLU come once more before the pooling. Convolutions have no bias and start He-normal
    (fan out), the classifier as torch does. Taps: the stem (f0), each stage's sum before the next batch norm (f1, f2, f3), and
    the pooled vector (f4). Raises Refusal where depth is not 6n + 4.
    """
    if depth < 10 or (depth - 4) % 6:
        raise Refusal(f"wrn: depth must be 6n + 4 (10, 16, 22, 28, 34, 40, ...), not {depth}")
    blocks, inside, stages = (depth - 4) // 6, 16, []
    for i in range(3):
        outside, stride = 16 * widen * 2**i, 1 if i == 0 else 2
        steps = (_Block(inside if j == 0 else outside, outside, stride if j == 0 else 1, dropout) for j in range(blocks))
        stages.append(nn.Sequential(*steps))
        inside = outside
    parts = OrderedDict(
        stem=nn.Conv2d(shape.inputs["image"][0], 16, 3, 1, 1, bias=False),
        stages=nn.Sequential(*stages),
        last=nn.Sequential(nn.BatchNorm2d(inside), nn.ReLU(inplace=True)),
        pooled=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        classifier=nn.Linear(inside, shape.classes),
    )
    # the last stage is a tap: an in-place ReLU after its batch norm writes to the batch norm's output, never to the tap
    net = nn.Sequential(parts)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return net
