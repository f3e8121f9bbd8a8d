"""Eager PyTorch on the CPU."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from kdbench import Artefact, Bundle, Count, Runner, target
from kdbench.targets import _torch_loader as loader

CHUNK = 256


@target(accepts=("torch",), reference=True)
def torch_cpu(artefact: Artefact, example: Mapping[str, np.ndarray], *, threads: Count = 1) -> Runner:
    """The network as it is: eager, evaluation mode, inference mode, on the CPU.

    example: {input: array (n, ...)}, in the order of the network's arguments: what is timed. threads: of one operator.
    Convolutional networks run in channels-last memory, here and where they are timed. Predictions are made 256 rows at a time.
    The artefact's network is copied, never changed.
    """
    module = loader.prepare(copy.deepcopy(artefact.module).cpu())
    call = loader.caller(module)

    def predict(x: Mapping[str, np.ndarray]) -> np.ndarray:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            rows = [torch.from_numpy(np.array(values)) for values in x.values()]
            return np.concatenate([call([r[i : i + CHUNK] for r in rows]) for i in range(0, max(len(rows[0]), 1), CHUNK)])
        finally:
            torch.set_num_threads(before)

    weights = sorted({str(p.dtype).removeprefix("torch.") for p in module.parameters()})
    facts = {
        "runtime": f"torch {torch.__version__}",
        "provider": "eager CPU",
        "precision": ", ".join(weights) or "float32",
        "layout": "channels_last" if loader.has_images(module) else "contiguous",
        "threads": threads,
    }
    return Runner(predict, Bundle(_files(module, example), Path(loader.__file__)), facts)


def _files(module: torch.nn.Module, example: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    network, inputs = io.BytesIO(), io.BytesIO()
    torch.save(module, network)
    np.savez(inputs, allow_pickle=False, **dict(example))
    return {loader.MODULE: network.getvalue(), loader.INPUTS: inputs.getvalue()}
