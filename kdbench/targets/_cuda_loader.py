"""Runs a torch network on an NVIDIA device: what the target predicts with and what the measuring scripts load. Needs torch with
CUDA and the network's code.

A call takes inputs in the memory of the host and gives logits there: it copies, computes, copies back and waits for the
device, which is what its caller would wait for. Work that is only queued is never taken for work that is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

MODULE, OPTIONS = "module.pt", "options.json"
TYPES: Mapping[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
WARM = 3
"""Calls before a graph is captured: libraries choose their kernels and take their workspace on the first ones."""

Call = Callable[[Sequence[torch.Tensor]], np.ndarray]


def load(folder: str, threads: int) -> Call:
    """The network that the target wrote a moment ago, on the device, ready to be called."""
    torch.set_num_threads(threads)
    options = json.loads((Path(folder) / OPTIONS).read_text(encoding="ascii"))
    # Not a checkpoint: whoever asks for the timing pickled its live network a moment ago, to have the very same object run.
    module = torch.load(Path(folder) / MODULE, map_location="cpu", weights_only=False)
    placed = place(module, options["precision"])
    return captured(placed) if options["graph"] else caller(placed)


def ready(x: Mapping[str, np.ndarray]) -> list[torch.Tensor]:
    """The inputs of a call in pinned host memory, in the order of the network's arguments: copies from there need no detour."""
    return [torch.from_numpy(np.array(values)).pin_memory() for values in x.values()]


def device_peak() -> int:
    """The most bytes that this process has held on the device at once, as torch's allocator counts them."""
    return int(torch.cuda.max_memory_allocated())


def place(module: nn.Module, precision: str) -> nn.Module:
    """In place: evaluation mode, no gradients, on the device, in that precision; convolutions in channels-last memory.

    fp32 is float32 for every operator: the shorter TF32, which torch would use in convolutions, is off in this process.
    """
    exact_float32()
    module.eval().requires_grad_(False).to(device="cuda", dtype=TYPES[precision])
    return module.to(memory_format=torch.channels_last) if _has_images(module) else module  # type: ignore[call-overload]


def exact_float32() -> None:
    """Float32 is computed in float32 on the device, from now on and in the whole process."""
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]


def caller(module: nn.Module) -> Call:
    """A call of a placed network, operator by operator: host tensors (n, ...) -> float32 array (n, classes)."""
    move = _mover(module)

    def call(inputs: Sequence[torch.Tensor]) -> np.ndarray:
        with torch.inference_mode():
            return _fetched(module(*move(inputs)))

    return call


def captured(module: nn.Module) -> Call:
    """As `caller`, through a CUDA graph: the first call of a size captures it, the others copy their inputs in and replay it."""
    move = _mover(module)
    graphs: dict[tuple[object, ...], tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]] = {}

    def call(inputs: Sequence[torch.Tensor]) -> np.ndarray:
        size = tuple((tuple(x.shape), x.dtype) for x in inputs)
        with torch.inference_mode():
            if size not in graphs:
                graphs[size] = _capture(module, move(inputs))
            graph, held, logits = graphs[size]
            for there, here in zip(held, inputs, strict=True):
                there.copy_(here, non_blocking=True)
            graph.replay()
            return _fetched(logits)

    return call


def _capture(module: nn.Module, held: list[torch.Tensor]) -> tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]:
    """The graph, the inputs that it reads and the logits that it writes. The first calls run on a stream of their own."""
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM):
            module(*held)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = module(*held)
    return graph, held, logits


def _mover(module: nn.Module) -> Callable[[Sequence[torch.Tensor]], list[torch.Tensor]]:
    """Host tensors to the device, floats in the network's type, images in channels-last memory where it has convolutions."""
    images = _has_images(module)
    kind = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)

    def move(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        moved = [x.to("cuda", non_blocking=True) for x in inputs]
        moved = [x.to(kind) if x.is_floating_point() else x for x in moved]
        return [x.contiguous(memory_format=torch.channels_last) if images and x.ndim == 4 else x for x in moved]

    return move


def _fetched(logits: torch.Tensor) -> np.ndarray:
    """Logits in host memory, when the device has finished: nothing that was queued is left."""
    there = logits.float().cpu()
    torch.cuda.synchronize()
    return np.asarray(there.numpy())


def _has_images(module: nn.Module) -> bool:
    return any(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in module.modules())
