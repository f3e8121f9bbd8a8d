"""A step that makes a model smaller: `compress: my_compressor`."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from kdbench import Artefact, Count, compressor


# graph="same": the network computes the same operations as before, so it need not be timed again for each setting.
# A second argument named `examples` would get rows of the training split, {input: array}.
@compressor(accepts=("torch",), gives="torch", graph="same")
def my_compressor(artefact: Artefact, *, bits: Count = 8) -> Artefact:
    """Round each weight tensor to 2^bits - 1 equal steps between -max |w| and +max |w|, and keep it in float.

    A study of precision, not of speed: the file does not shrink. Conventions: one scale per tensor; vectors (biases, norms) stay.
    """
    module = copy.deepcopy(artefact.module)
    steps = max(2 ** (bits - 1) - 1, 1)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim > 1:
                scale = weight.abs().max().clamp_min(torch.finfo(weight.dtype).tiny) / steps
                weight.copy_((weight / scale).round() * scale)
    return replace(artefact, module=module)
