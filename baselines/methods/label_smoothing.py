"""Label smoothing: soft targets without a teacher."""

from __future__ import annotations

import torch
from torch.nn import functional

from kdbench import Batch, Fraction, Outputs, method


@method(paper="Szegedy et al. 2016, Rethinking the Inception Architecture, section 7")
def label_smoothing(student: Outputs, batch: Batch, *, smoothing: Fraction = 0.1) -> torch.Tensor:
    """L = -mean_i sum_c q_ic log softmax(z_i)_c, with q = (1 - e) y + e / classes.

    Conventions. The true class keeps 1 - e + e / classes (the paper and torch; some codes spread e over the other classes only).
    Mean over examples. Soft targets y are smoothed in the same way. Token positions with label -100 do not count.
    """
    z, y = student.logits, batch.y
    if z.ndim == 3:
        return functional.cross_entropy(z.flatten(0, 1), y.flatten(), ignore_index=-100, label_smoothing=smoothing)
    return functional.cross_entropy(z, y, label_smoothing=smoothing)
