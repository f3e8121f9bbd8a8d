"""A loss that is not finite from some batch on."""

import torch

from kdbench import Batch, Count, Outputs, method

CALLS = []


@method()
def explode(student: Outputs, batch: Batch, *, at: Count = 3) -> torch.Tensor:
    """The mean logit, and NaN at call `at`."""
    CALLS.append(1)
    return student.logits.mean() * (float("nan") if len(CALLS) == at else 1.0)
