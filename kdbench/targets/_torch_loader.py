"""Runs a torch network on the CPU: what the target predicts with and what the measuring scripts load. Needs torch and the
network's code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

MODULE = "module.pt"


def load(folder: str, threads: int) -> Callable[[Sequence[torch.Tensor]], np.ndarray]:
    """The network that the target wrote a moment ago, ready to be called."""
    torch.set_num_threads(threads)
    # Not a checkpoint: whoever asks for the timing pickled its live network a moment ago, to have the very same object run.
    return caller(torch.load(Path(folder) / MODULE, map_location="cpu", weights_only=False))


def ready(x: Mapping[str, np.ndarray]) -> list[torch.Tensor]:
    """The inputs of a call as tensors, in the order of the network's arguments."""
    return [torch.from_numpy(np.array(values)) for values in x.values()]


def prepare(module: nn.Module) -> nn.Module:
    """In place: evaluation mode, no gradients; convolutions in channels-last memory, which oneDNN reads without reordering."""
    module.eval().requires_grad_(False)
    return module.to(memory_format=torch.channels_last) if has_images(module) else module  # type: ignore[call-overload]


def has_images(module: nn.Module) -> bool:
    """Whether the network has two-dimensional convolutions."""
    return any(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in module.modules())


def caller(module: nn.Module) -> Callable[[Sequence[torch.Tensor]], np.ndarray]:
    """A call of a prepared network: tensors (n, ...) -> float32 array (n, classes). Changing layout and type is part of it."""
    images = has_images(module)
    kind = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)

    def call(inputs: Sequence[torch.Tensor]) -> np.ndarray:
        with torch.inference_mode():
            if kind != torch.float32:
                inputs = [x.to(kind) if x.is_floating_point() else x for x in inputs]
            if images:
                inputs = [x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x for x in inputs]
            return np.asarray(module(*inputs).float().numpy())

    return call
