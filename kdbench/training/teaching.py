"""Where a term's `teacher` comes from: recorded outputs, joined by example id, or the live network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from kdbench.nets.taps import forward
from kdbench.nouns import Batch, Outputs, Refusal


@dataclass(slots=True)
class Recorded:
    """Outputs on the plain training examples, row i for place i of the split. taps may be kept in half precision."""

    logits: torch.Tensor
    taps: Mapping[str, torch.Tensor]
    passes: int = 0

    def outputs(self, batch: Batch) -> Outputs:
        """What the teacher said about these examples, float32."""
        taps = {name: value.index_select(0, batch.index).float() for name, value in self.taps.items()}
        return Outputs(self.logits.index_select(0, batch.index), taps)


@dataclass(slots=True)
class Live:
    """The network itself, asked anew for every batch. passes: examples that went through it."""

    module: nn.Module
    taps: Sequence[str]
    passes: int = 0

    def outputs(self, batch: Batch) -> Outputs:
        """What the teacher says about the batch as it is now, without gradients, in eval mode."""
        assert not self.module.training, "the teacher must not train: its batch norms and dropout would change what it says"
        self.passes += len(batch.index)
        with torch.no_grad():
            given = forward(self.module, batch.x, self.taps)
        return Outputs(given.logits.float(), {name: value.float() for name, value in given.taps.items()})


def live(module: nn.Module, taps: Sequence[str]) -> Live:
    """A teacher that is frozen and in eval mode."""
    return Live(module.eval().requires_grad_(False).to(memory_format=torch.channels_last), taps)  # type: ignore[call-overload]


def places(wanted: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """For each wanted id its row in `ids`. Raises Refusal where ids repeat or one is not there: outputs of other examples."""
    order = np.argsort(ids, kind="stable")
    ranked = ids[order]
    if len(ranked) > 1 and bool((ranked[1:] == ranked[:-1]).any()):
        raise Refusal("recorded teacher outputs: an example id stands twice")
    found = np.searchsorted(ranked, wanted)
    good = found < len(ranked)
    good[good] = ranked[found[good]] == wanted[good]
    if not good.all():
        first = wanted[~good][0]
        raise Refusal(f"recorded teacher outputs lack {int((~good).sum())} of {len(wanted)} training examples (first: {first})")
    return order[found]
