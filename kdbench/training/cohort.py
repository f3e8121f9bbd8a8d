"""The networks that train together: the student and, where a term asks for one, its peer."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from kdbench.nouns import Train
from kdbench.training.optimise import optimizer


@dataclass(frozen=True, slots=True)
class Member:
    """One student of a cohort. states: the modules of its loss terms, trained with it and dropped at the end. masks: parameters
    with what must stay zero in them. previous: itself as it was one epoch ago, where a term asks for that.
    """

    module: nn.Module
    states: Mapping[str, nn.Module]
    optimizer: torch.optim.Optimizer
    masks: Sequence[tuple[nn.Parameter, torch.Tensor]]
    previous: nn.Module | None = None

    def forget(self) -> None:
        """No gradient is left: what zero_grad does, without its 0.15 ms of bookkeeping a step."""
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def update(self, learning_rate: float, clip: float | None) -> None:
        """One optimizer step by the gradients of the batch; masked weights are zero again after it. clip: largest gradient norm
        over all parameters.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        if clip is not None:
            torch.nn.utils.clip_grad_norm_([p for group in self.optimizer.param_groups for p in group["params"]], clip)
        self.optimizer.step()
        self.keep_masks()

    def keep_masks(self) -> None:
        """Put zeros back where the masks want them."""
        with torch.no_grad():
            for parameter, kept in self.masks:
                parameter.mul_(kept)

    def remember(self) -> None:
        """The student of now becomes the `previous` of the next epoch."""
        if self.previous is not None:
            self.previous.load_state_dict(self.module.state_dict())

    def sound(self) -> bool:
        """Whether all weights and buffers are finite."""
        return all(bool(torch.isfinite(v).all()) for v in self.module.state_dict().values() if v.is_floating_point())


def member(
    module: nn.Module, states: Mapping[str, nn.Module], train: Train, masks: Mapping[str, np.ndarray], previous: bool
) -> Member:
    """Bring a network to the layout that trains fastest (channels_last), and give it an optimizer of its own."""
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    module.train().requires_grad_(True)
    parameters = dict(module.named_parameters())
    kept = [
        (parameters[name], torch.empty_like(parameters[name]).copy_(torch.from_numpy(np.array(value))))
        for name, value in masks.items()
    ]
    every = [*module.parameters(), *(p for state in states.values() for p in state.parameters())]
    earlier = copy.deepcopy(module).eval().requires_grad_(False) if previous else None
    made = Member(module, states, optimizer(train, every), kept, earlier)
    made.keep_masks()
    return made
