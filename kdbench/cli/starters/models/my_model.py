"""An architecture: `student: {model: my_model, width: 64}`."""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import nn

from kdbench import Count, Shape, model


# kinds: the data it takes ("image", "table", "tokens"). taps: submodules whose outputs methods may read, shallow to deep.
@model(kinds=("image",), taps=("hidden",))
def my_model(shape: Shape, *, width: Count = 32) -> nn.Module:
    """One hidden layer over all pixels: (b, channels, height, width) -> logits (b, classes)."""
    pixels = math.prod(shape.inputs["image"])
    hidden = nn.Sequential(nn.Linear(pixels, width), nn.ReLU())
    return nn.Sequential(OrderedDict(flat=nn.Flatten(), hidden=hidden, classifier=nn.Linear(width, shape.classes)))
