"""Inner values of a network, by the path of the module that gives them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn


def inner_values(module: nn.Module, call: Callable[[], object]) -> dict[str, np.ndarray]:
    """What every submodule gives while `call` runs the network: {path: float32 array}, in the order in which they finish.

    Left out: modules that are called twice or not at all, since a path then names no single value, and those that give
    anything but one floating-point tensor. Values are copied when they are made, so that a later step in place spoils none.
    """
    found: dict[str, list[np.ndarray | None]] = {}

    def note(path: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_module: nn.Module, _given: object, output: object) -> None:
            value = found.pop(path, [])  # a module that is called again is placed by its last call
            found[path] = [*value, _array(output)]

        return hook

    handles = [one.register_forward_hook(note(path)) for path, one in module.named_modules() if path]
    try:
        call()
    finally:
        for handle in handles:
            handle.remove()
    return {path: values[0] for path, values in found.items() if len(values) == 1 and values[0] is not None}


def _array(output: object) -> np.ndarray | None:
    if not isinstance(output, torch.Tensor) or not output.is_floating_point():
        return None
    return np.array(output.detach().float().cpu().numpy())
