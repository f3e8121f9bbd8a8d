from typing import Literal

from kdbench import Count, Whole, model


@model(kinds=("image",))
def toy_net(shape, *, depth: Count = 8, width: Whole = 16, act: Literal["relu", "gelu"] = "relu", scale: float = 1):
    """A net for images."""
    return object()
