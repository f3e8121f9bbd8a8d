"""What the targets that run torch in this process share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from kdbench import Bundle, Runner
from kdbench.targets import _decode_loader as writing
from kdbench.targets._rows import predictor
from kdbench.targets._torch_loader import has_images, ready


@contextlib.contextmanager
def using(threads: int) -> Iterator[None]:
    """That many threads in an operator, and afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def torch_predictor(
    call: Callable[[Any], Any], threads: int, batch: int | None = None
) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """As `predictor`, for a call that takes tensors, at this number of threads."""
    predict = predictor(call, ready, batch)

    def at_threads(x: Mapping[str, np.ndarray]) -> np.ndarray:
        with using(threads):
            return predict(x)

    return at_threads


def decoder(module: nn.Module, network: bytes, threads: int, facts: Mapping[str, Any]) -> Runner | None:
    """The network as it writes (see `Runner.decoder`); None for one that remembers nothing between tokens."""
    if not hasattr(module, "step"):
        return None
    predict = predictor(partial(writing.call, module), writing.unread)

    def at_threads(x: Mapping[str, np.ndarray]) -> np.ndarray:
        with using(threads):
            return predict(x)

    return Runner(at_threads, Bundle({writing.MODULE: network}, Path(writing.__file__)), facts)


def torch_facts(module: nn.Module, provider: str, threads: int) -> dict[str, Any]:
    """What runs: the version, the provider, the types of the weights, the layout of images, the threads."""
    weights = sorted({str(p.dtype).removeprefix("torch.") for p in module.parameters()})
    return {
        "runtime": f"torch {torch.__version__}",
        "provider": provider,
        "precision": ", ".join(weights) or "float32",
        "layout": "channels_last" if has_images(module) else "contiguous",
        "threads": threads,
    }
