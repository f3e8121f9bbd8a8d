"""Runs a program that torch.export saved: what the target predicts with and what the measuring scripts load. Needs torch only,
not the network's code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

PROGRAM = "program.pt2"


def load(folder: str, threads: int) -> Callable[[Sequence[torch.Tensor]], np.ndarray]:
    """The program, ready to be called."""
    torch.set_num_threads(threads)
    return caller(opened(str(Path(folder) / PROGRAM)))


def ready(x: Mapping[str, np.ndarray]) -> list[torch.Tensor]:
    """The inputs of a call as tensors, in the order of the program's arguments."""
    return [torch.from_numpy(np.array(values)) for values in x.values()]


def opened(path: str) -> torch.fx.GraphModule:
    """The program as a graph that can be called."""
    module = torch.export.load(path).module()
    if not isinstance(module, torch.fx.GraphModule):
        raise TypeError(f"torch.export gave {type(module).__name__}, not a graph")
    return module


def caller(program: torch.fx.GraphModule) -> Callable[[Sequence[torch.Tensor]], np.ndarray]:
    """A call of a program: tensors (n, ...) -> float32 array (n, classes)."""

    def call(inputs: Sequence[torch.Tensor]) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(program(*inputs).float().numpy())

    return call
