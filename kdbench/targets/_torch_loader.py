"""Runs a torch network: what the target predicts with and what the timing script loads. Needs torch and the network's code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

MODULE, INPUTS = "module.pt", "inputs.npz"


def read(folder: str) -> list[torch.Tensor]:
    """The inputs of one call, in the order of the network's arguments."""
    with np.load(Path(folder) / INPUTS, allow_pickle=False) as held:
        return [torch.from_numpy(held[name]) for name in held.files]


def load(folder: str, threads: int) -> Callable[[Sequence[torch.Tensor]], np.ndarray]:
    """The network that the target wrote a moment ago, ready to be called."""
    torch.set_num_threads(threads)
    # Not a checkpoint: whoever asks for the timing pickled its live network a moment ago, to have the very same object run.
    return caller(torch.load(Path(folder) / MODULE, map_location="cpu", weights_only=False))


def prepare(module: nn.Module) -> nn.Module:
    """In place: evaluation mode, no gradients; convolutions in channels-last memory, which oneDNN reads without reordering."""
    module.eval().requires_grad_(False)
    return module.to(memory_format=torch.channels_last) if has_images(module) else module  # type: ignore[call-overload]


def has_images(module: nn.Module) -> bool:
    """Whether the network has two-dimensional convolutions."""
    return any(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in module.modules())


def caller(module: nn.Module) -> Callable[[Sequence[torch.Tensor]], np.ndarray]:
    """A call of a prepared network: tensors (n, ...) -> float32 array (n, classes). Changing the layout is part of the call."""
    images = has_images(module)

    def call(inputs: Sequence[torch.Tensor]) -> np.ndarray:
        with torch.inference_mode():
            if images:
                inputs = [x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x for x in inputs]
            return np.asarray(module(*inputs).float().numpy())

    return call
