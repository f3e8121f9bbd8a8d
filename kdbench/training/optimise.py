"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from kdbench.nouns import Refusal, Train

ALLOWED = ("sgd", "adam", "adamw")


def optimizer(train: Train, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """SGD with momentum, Adam or AdamW over all parameters, weight decay on all of them (biases and norms too, as the KD papers
    do).

    Adam takes betas (0.9, 0.999); `momentum` and `nesterov` belong to SGD. The fused kernels update a network in one call.
    """
    held = [p for p in parameters if p.requires_grad]
    if train.optimizer == "sgd":
        nesterov = train.nesterov and train.momentum > 0
        made = torch.optim.SGD(held, train.lr, train.momentum, weight_decay=train.weight_decay, nesterov=nesterov, fused=True)
        if train.momentum > 0:  # the fused kernel cannot start a parameter late, as one of a term that begins later does
            for parameter in held:
                made.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return made
    if train.optimizer == "adam":
        return torch.optim.Adam(held, train.lr, weight_decay=train.weight_decay, fused=True)
    if train.optimizer == "adamw":
        return torch.optim.AdamW(held, train.lr, weight_decay=train.weight_decay, fused=True)
    raise Refusal(f"train: no optimizer {train.optimizer!r} (allowed: {', '.join(ALLOWED)})")
