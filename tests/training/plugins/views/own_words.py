"""On-policy sampling: the student writes the rest of each sequence, and is taught on what it wrote (Agarwal et al. 2024, GKD)."""

import dataclasses

import numpy as np
import torch
from torch import nn

from kdbench import Batch, Count, view

WRITTEN = []


@view(recorded=False)
def own_words(batch: Batch, rng: np.random.Generator, student: nn.Module, *, prompt: Count = 4) -> Batch:
    """Keep the first `prompt` tokens and sample the others from the student; labels are the next tokens, -100 in the prompt."""
    assert not student.training
    tokens = batch.x["tokens"].clone()
    for at in range(prompt, tokens.shape[1]):
        p = student(tokens)[:, at - 1].softmax(-1).double()
        draws = torch.from_numpy(rng.random((tokens.shape[0], 1)))
        tokens[:, at] = (p.cumsum(1) < draws).sum(1).clamp(max=p.shape[1] - 1)
    y = torch.full_like(tokens, -100)
    y[:, prompt - 1 : -1] = tokens[:, prompt:]
    WRITTEN.append((batch.x["tokens"].clone(), tokens.clone()))
    return dataclasses.replace(batch, x={"tokens": tokens}, y=y)
