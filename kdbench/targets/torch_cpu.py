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
from kdbench.targets._torch_rows import decoder, torch_facts, torch_predictor


@target(accepts=("torch",), reference=True, decodes=True)
def torch_cpu(artefact: Artefact, example: Mapping[str, np.ndarray], *, threads: Count = 1) -> Runner:
    """The network as it is: eager, evaluation mode, inference mode, on the CPU.

    example: {input: array (n, ...)}, in the order of the network's arguments. threads: of one operator.
    Convolutional networks run in channels-last memory, here and where they are timed. Predictions are made 256 rows at a time.
    The artefact's network is copied, never changed.
    """
    module = loader.prepare(copy.deepcopy(artefact.module).cpu())
    network = io.BytesIO()
    torch.save(module, network)
    bundle = Bundle({loader.MODULE: network.getvalue()}, Path(loader.__file__))
    facts = torch_facts(module, "eager CPU", threads)
    writes = decoder(module, network.getvalue(), threads, facts)
    return Runner(torch_predictor(loader.caller(module), threads), bundle, facts, decoder=writes)
