"""Eager PyTorch on an NVIDIA device."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from kdbench import Artefact, Bundle, Count, Refusal, Runner, inner_values, target
from kdbench.targets import _cuda_loader as loader
from kdbench.targets._rows import CHUNK, predictor
from kdbench.targets._tolerance import allowed
from kdbench.targets._torch_loader import has_images

NAMES: Mapping[str, str] = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


@target(accepts=("torch",), requires=("cuda",), device="cuda")
def torch_cuda(
    artefact: Artefact,
    example: Mapping[str, np.ndarray],
    *,
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    graph: bool = False,
    threads: Count = 1,
) -> Runner:
    """The network on the first CUDA device. A call copies its inputs there, computes, copies logits back and waits.

    example: {input: array (n, ...)}, in the order of the network's arguments. precision: of weights, buffers and arithmetic;
    fp32 is without TF32. graph: replay a CUDA graph, captured at the first call of each size, instead of launching operator by
    operator; predictions are then made 256 rows at a time, the last ones filled up. threads: of the host.
    The artefact's network is copied, never changed. Raises Refusal where torch finds no CUDA device or cannot capture the graph.
    """
    if not torch.cuda.is_available():
        raise Refusal(f"torch_cuda: torch {torch.__version__} finds no CUDA device")
    module = copy.deepcopy(artefact.module).cpu()
    network = io.BytesIO()
    torch.save(module, network)
    placed = loader.place(module, precision)
    call = loader.captured(placed) if graph else loader.caller(placed)
    if graph:
        _try(call, example)

    def inside(x: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        found: dict[str, np.ndarray] = inner_values(placed, lambda: loader.caller(placed)(loader.ready(x)))
        return found

    options = json.dumps({"precision": precision, "graph": graph}).encode()
    bundle = Bundle({loader.MODULE: network.getvalue(), loader.OPTIONS: options}, Path(loader.__file__))
    predict = predictor(call, loader.ready, CHUNK if graph else None)
    return Runner(predict, bundle, _facts(placed, precision, "CUDA graph" if graph else "eager", threads), inside)


def _try(call: loader.Call, example: Mapping[str, np.ndarray]) -> None:
    try:
        call(loader.ready(example))
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise Refusal(f"torch_cuda: no CUDA graph can be captured: {type(error).__name__}: {first}") from error


def _facts(module: torch.nn.Module, precision: str, how: str, threads: int) -> dict[str, Any]:
    return {
        "runtime": f"torch {torch.__version__}, CUDA {torch.version.cuda}",
        "provider": f"{how} CUDA",
        "device": torch.cuda.get_device_name(),
        "precision": NAMES[precision],
        "tf32": False,
        "layout": "channels_last" if has_images(module) else "contiguous",
        "call": "host to device, network, device to host, synchronised",
        "threads": threads,
        **allowed(NAMES[precision]),
    }
