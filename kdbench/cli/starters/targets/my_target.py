"""A way to run a model: `targets: [torch_cpu, my_target]`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from kdbench import Artefact, Runner, target


# accepts: runtimes of artefacts. Others are "not applicable" on this target. With a `bundle`, the Runner can be timed, too.
@target(accepts=("torch",), needs=("torch",))
def my_target(artefact: Artefact, example: Mapping[str, np.ndarray]) -> Runner:
    """PyTorch on the CPU in bfloat16: what the answers are at half the precision. Not timed."""
    module = artefact.module.eval().to(torch.bfloat16)

    def predict(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        given = [torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in artefact.shape.inputs]
        with torch.inference_mode():
            logits = module(*(one.to(torch.bfloat16) if one.is_floating_point() else one for one in given))
        return np.asarray(logits.float())

    return Runner(predict, facts={"precision": "bfloat16"})
