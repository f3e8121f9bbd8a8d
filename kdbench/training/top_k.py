"""What was recorded of a teacher's likeliest tokens, as the terms of a fit read it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kdbench.nouns import Batch, TopK


@dataclass(frozen=True, slots=True)
class RecordedTopK:
    """The k likeliest tokens of every position of the plain training windows, row i for place i of the split: log_probability
    float16 and ids of some integer type, (n, length, k), rest float16 (n, length, 1).
    """

    log_probability: torch.Tensor
    ids: torch.Tensor
    rest: torch.Tensor

    def of(self, batch: Batch) -> TopK:
        """The record of these examples, as wide as the batch."""
        width = batch.y.shape[1]
        held = (self.log_probability, self.ids, self.rest)
        log_probability, ids, rest = (value.index_select(0, batch.index)[:, :width] for value in held)
        return TopK(log_probability.float(), ids.long(), rest.float())
