"""Cross-entropy with the labels."""

from __future__ import annotations

import torch
from torch.nn import functional

from kdbench import IGNORED, Batch, Outputs, method


@method(recipe={"ce": 1.0})
def ce(student: Outputs, batch: Batch) -> torch.Tensor:
    """L = -mean_i sum_c y_ic log softmax(z_i)_c.

    Conventions. Mean over examples. y is a class (b,), or soft targets (b, classes) as mixup makes them. For token sequences the
    logits are (b, length, vocabulary) and y (b, length) holds the target of each position (already shifted); positions with y =
    -100 do not count, and the mean is over the others of the whole batch.
    """
    z, y = student.logits, batch.y
    if z.ndim == 3:
        return functional.cross_entropy(z.flatten(0, 1), y.flatten(), ignore_index=IGNORED)
    return functional.cross_entropy(z, y)
