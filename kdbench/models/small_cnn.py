"""A small plain convolutional network."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from kdbench import Count, Shape, model


@model(kinds=("image",), taps=("blocks.*", "pooled"))
def small_cnn(shape: Shape, *, width: Count = 16, blocks: Count = 3) -> nn.Module:
    """Blocks of 3x3 convolution, batch norm and ReLU with width, 2 width, 4 width, ... channels, then a linear classifier.

    Input (b, channels, height, width) of any size; gives logits (b, classes).

    Conventions. All blocks but the first halve the map by stride 2. Global average pooling. Convolutions start He-normal (fan
    out). Taps: each block after its ReLU, and the pooled vector.
    """
    inside, layers = shape.inputs["image"][0], []
    for i in range(blocks):
        outside = width * 2**i
        conv = nn.Conv2d(inside, outside, 3, 1 if i == 0 else 2, 1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        layers.append(nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU(inplace=True)))
        inside = outside
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(OrderedDict(blocks=nn.Sequential(*layers), pooled=pooled, classifier=nn.Linear(inside, shape.classes)))
