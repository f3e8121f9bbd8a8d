"""Training from scratch: the row that every distilled student has to beat."""

from __future__ import annotations

import torch
from torch.nn import functional

from kdbench import Batch, Outputs, method


@method(recipe={"ce": 1.0})
def scratch(student: Outputs, batch: Batch) -> torch.Tensor:
    """L = -mean_i sum_c y_ic log softmax(z_i)_c: cross-entropy with the labels alone, no teacher.

    Conventions. Those of `ce`: mean over examples, soft targets as they are, token positions with label -100 not counted. The
    recipe names `ce`, so that `fit: scratch` and `fit: ce` are one and the same job.
    """
    z, y = student.logits, batch.y
    if z.ndim == 3:
        return functional.cross_entropy(z.flatten(0, 1), y.flatten(), ignore_index=-100)
    return functional.cross_entropy(z, y)
