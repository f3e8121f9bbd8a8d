"""Eager PyTorch on the CPU in bfloat16."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from kdbench import Artefact, Bundle, Count, Runner, inner_values, target
from kdbench.targets import _torch_loader as loader
from kdbench.targets._tolerance import allowed
from kdbench.targets._torch_rows import decoder, torch_facts, torch_predictor, using


@target(accepts=("torch",), decodes=True)
def torch_bf16(artefact: Artefact, example: Mapping[str, np.ndarray], *, threads: Count = 1) -> Runner:
    """The network with weights, buffers and arithmetic in bfloat16, eager, on the CPU; its logits are given as float32.

    example: {input: array (n, ...)}, in the order of the network's arguments; turning floats into bfloat16 is part of a call.
    threads: of one operator. The fact `native_bfloat16` says by which instructions the processor computes in bfloat16; where
    it has none, every operation is emulated and slower than float32. The artefact's network is copied, never changed.
    """
    module = loader.prepare(copy.deepcopy(artefact.module).cpu().to(torch.bfloat16))
    call = loader.caller(module)
    network = io.BytesIO()
    torch.save(module, network)

    def inside(x: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        with using(threads):
            found: dict[str, np.ndarray] = inner_values(module, lambda: call(loader.ready(x)))
            return found

    facts = torch_facts(module, "eager CPU", threads) | {"native_bfloat16": _instructions()} | allowed("bfloat16")
    bundle = Bundle({loader.MODULE: network.getvalue()}, Path(loader.__file__))
    writes = decoder(module, network.getvalue(), threads, facts)
    return Runner(torch_predictor(call, threads), bundle, facts, inside, decoder=writes)


def _instructions() -> str:
    """The processor's own instructions for bfloat16."""
    has = torch.cpu.get_capabilities()
    known = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512", "sve_bf16": "SVE", "bf16": "Neon"}
    return ", ".join(words for name, words in known.items() if has.get(name)) or "none: emulated"
