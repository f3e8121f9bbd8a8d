"""Runs a network through torch.compile: what the target predicts with and what the measuring scripts load. Needs torch and the
network's code; what was compiled travels along, so that nothing is compiled anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import types
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch._inductor.config
from torch import nn
from torch._dynamo.utils import counters

MODULE, KERNELS, SIZES = "module.pt", "kernels.zip", "sizes.json"
CACHE = "TORCHINDUCTOR_CACHE_DIR"


class Sizes(NamedTuple):
    """What is compiled for. rows: numbers of rows, in this order; inputs: (shape of a row, type) of each input."""

    rows: list[int]
    inputs: list[tuple[list[int], str]]


def load(folder: str, threads: int) -> Callable[[Sequence[torch.Tensor]], np.ndarray]:
    """The network with its kernels, called once at every size that the target compiled, so that nothing is left to be done.

    Raises RuntimeError where a kernel would have been compiled anew: then it would not be the one that was scored.
    """
    torch.set_num_threads(threads)
    place, cache = Path(folder), Path(folder) / "kernels"
    with zipfile.ZipFile(place / KERNELS) as held:
        held.extractall(cache)
    # Not a checkpoint: whoever asks for the timing pickled its live network a moment ago, to have the very same object run.
    module = torch.load(place / MODULE, map_location="cpu", weights_only=False)
    sizes = Sizes(**json.loads((place / SIZES).read_text(encoding="ascii")))
    before = counters["inductor"]["fxgraph_cache_miss"]
    with caching(str(cache)):
        call = primed(module, sizes)
    shutil.rmtree(cache, ignore_errors=True)  # the kernels are loaded: libraries that are in memory need no files
    if counters["inductor"]["fxgraph_cache_miss"] != before:
        raise RuntimeError("a kernel was compiled anew: torch did not find the one that the target compiled")
    return call


def ready(x: Mapping[str, np.ndarray]) -> list[torch.Tensor]:
    """The inputs of a call as tensors, in the order of the network's arguments."""
    return [torch.from_numpy(np.array(values)) for values in x.values()]


@contextlib.contextmanager
def caching(folder: str) -> Iterator[None]:
    """Kernels are looked for and kept in a folder, and compiled in this process."""
    before = os.environ.get(CACHE)
    os.environ[CACHE] = folder
    try:
        with torch._inductor.config.patch(compile_threads=1, fx_graph_cache=True):
            yield
    finally:
        if before is None:
            del os.environ[CACHE]
        else:
            os.environ[CACHE] = before


def primed(module: nn.Module, sizes: Sizes) -> Callable[[Sequence[torch.Tensor]], np.ndarray]:
    """A call of the network, compiled for these sizes. Raises where torch cannot compile all of it: nothing runs uncompiled."""
    call = caller(module)
    for rows in sizes.rows:
        call([torch.zeros((rows, *shape), dtype=getattr(torch, kind)) for shape, kind in sizes.inputs])
    return call


def caller(module: nn.Module) -> Callable[[Sequence[torch.Tensor]], np.ndarray]:
    """A call of the network, compiled when it is first called: tensors (n, ...) -> float32 array (n, classes)."""
    images = any(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in module.modules())

    def run(*inputs: torch.Tensor) -> torch.Tensor:
        return module(*inputs).float()  # type: ignore[no-any-return]

    # torch keeps what it compiled with the code of a function, and gives up after eight kinds of input for one code: each
    # network gets a code of its own.
    own = types.FunctionType(run.__code__.replace(), run.__globals__, closure=run.__closure__)
    compiled = torch.compile(own, fullgraph=True)

    def call(inputs: Sequence[torch.Tensor]) -> np.ndarray:
        with torch.inference_mode():
            if images:
                inputs = [x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x for x in inputs]
            if len(inputs[0]) > 1:
                for x in inputs:
                    torch._dynamo.maybe_mark_dynamic(x, 0)
            return np.asarray(compiled(*inputs).numpy())

    return call
