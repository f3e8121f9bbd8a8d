"""On-policy batches: the student writes, and is then taught about what it wrote (the sampling half of GKD)."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import nn

from kdbench import IGNORED, Batch, Count, Fraction, Positive, Refusal, Sampling, Shape, sample, view


@view(recorded=False)
def on_policy(  # noqa: PLR0913 - of which four are evidence
    batch: Batch,
    rng: np.random.Generator,
    shape: Shape,
    student: nn.Module,
    *,
    share: Fraction = 0.5,
    prompt: Count = 16,
    tokens: Count = 48,
    temperature: Positive = 1.0,
) -> Batch:
    """With probability `share`, a batch becomes its first `prompt` tokens and `tokens` more that the student draws after them.

    Conventions. Agarwal et al. 2024 (GKD), algorithm 1: `share` is their lambda, drawn once a batch; gradients do not flow
    through the sampling. GKD is this view beside the term `jsd`. Drawn from the student's whole distribution at `temperature`, in
    eval mode, without a cut to the likeliest. The label of each position is the token drawn next, and -100 inside the prompt, so
    that terms judge what the student wrote; the teacher runs live, as on any changed batch, and its passes are counted.
    Cross-entropy beside it would teach the student its own tokens: give it to another fit. Rows get shorter: prompt + tokens - 1.
    """
    if shape.kind != "tokens" or shape.answer != "next":
        raise Refusal(f"on_policy: it continues texts of a language model; the data ask for the {shape.answer} of {shape.kind}")
    given = batch.x["tokens"]
    if given.shape[1] <= prompt:
        raise Refusal(f"on_policy: rows of {given.shape[1]} tokens are too short for a prompt of {prompt}")
    (longest,) = shape.inputs["tokens"]
    if prompt + tokens - 1 > longest:
        made = f"a prompt of {prompt} and {tokens} tokens make rows of {prompt + tokens - 1}"
        raise Refusal(f"on_policy: {made}; the models are for rows of {longest}")
    if rng.random() >= share:
        return batch
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    written = sample(student, given[:, :prompt], tokens, generator, Sampling(temperature=temperature))
    y = written[:, 1:].clone()
    y[:, : prompt - 1] = IGNORED
    y[(batch.y[:, : prompt - 1] == IGNORED).any(1)] = IGNORED  # a row that ends inside the prompt has nothing to go on from
    return dataclasses.replace(batch, x={**batch.x, "tokens": written[:, :-1]}, y=y)
