"""What happens to a batch before the networks see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from kdbench.nouns import Batch, Params, Refusal, Use
from kdbench.registry import Plugins, nearest

EVIDENCE = ("batch", "rng", "shape", "student", "teacher")
"""What a view may ask for. rng: a numpy Generator of its own for each step. student, teacher: the networks themselves, in eval
mode and without gradients, so that a view can sample from them. shape: the Shape of the data."""


@dataclass(frozen=True, slots=True)
class LoadedView:
    """One view of a fit. recorded: recorded teacher outputs stay valid after it."""

    name: str
    function: Callable[..., Any]
    evidence: tuple[str, ...]
    params: Params
    recorded: bool


def load_views(plugins: Plugins, views: Sequence[Use]) -> tuple[LoadedView, ...]:
    """Import the views of a fit. Raises Refusal for evidence that no fit has."""
    loaded = []
    for use in views:
        described = plugins.get("view", use.name)
        for asked in described.evidence:
            if asked not in EVIDENCE:
                raise Refusal(f"view {use.name!r} asks for {asked!r}, which no fit has{nearest(asked, EVIDENCE)}")
        plugin, _ = plugins.load("view", use.name)
        loaded.append(LoadedView(use.name, plugin, described.evidence, use.params, bool(described.facts.get("recorded"))))
    return tuple(loaded)


def look(views: Sequence[LoadedView], batch: Batch, seed: int, evidence: Mapping[str, Any]) -> Batch:
    """The batch after all views, in order. Each view has a stream of its own, so adding one leaves the others as they were."""
    for place, view in enumerate(views):
        held = {**evidence, "batch": batch, "rng": np.random.default_rng([seed, place])}
        networks = [held[name] for name in view.evidence if isinstance(held[name], nn.Module)]
        modes = [network.training for network in networks]
        for network in networks:
            network.eval()
        with torch.no_grad():
            after = view.function(*(held[name] for name in view.evidence), **view.params)
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)
        if not isinstance(after, Batch) or not torch.equal(after.index, batch.index):
            raise Refusal(f"view {view.name!r} must give a Batch with the same `index`: it says which examples these are")
        batch = after
    return batch
