"""Where a term's `teacher` comes from: recorded outputs, joined by example id, or the live network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from kdbench.nets.taps import forward
from kdbench.nouns import Batch, Outputs, Refusal


@dataclass(slots=True)
class Recorded:
    """Outputs on the plain training examples, row i for place i of the split. taps may be kept in half precision; those of
    tokens are (n, length, d), of rows at full length.
    """

    logits: torch.Tensor
    taps: Mapping[str, torch.Tensor]
    passes: int = 0

    def outputs(self, batch: Batch) -> Outputs:
        """What the teacher said about these examples, float32, as wide as the batch."""
        taps = {name: self._of(value, batch).float() for name, value in self.taps.items()}
        return Outputs(self._of(self.logits, batch), taps)

    def _of(self, value: torch.Tensor, batch: Batch) -> torch.Tensor:
        held = value.index_select(0, batch.index)
        return held[:, : batch.x["tokens"].shape[1]] if held.ndim == 3 and "tokens" in batch.x else held


@dataclass(slots=True)
class Live:
    """The network itself, asked anew for every batch. inner: see `kdbench.nets.taps`; passes: examples that went through it."""

    module: nn.Module
    taps: Sequence[str]
    passes: int = 0
    inner: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def outputs(self, batch: Batch) -> Outputs:
        """What the teacher says about the batch as it is now, without gradients, in eval mode."""
        assert not self.module.training, "the teacher must not train: its batch norms and dropout would change what it says"
        self.passes += len(batch.index)
        with torch.no_grad():
            return in_float32(forward(self.module, batch.x, self.taps, self.inner))


def in_float32(given: Outputs) -> Outputs:
    """Outputs in the precision that losses are computed in, float32 at least."""
    inner = {role: tuple(_unhalved(value) for value in layers) for role, layers in given.inner.items()}
    return Outputs(_unhalved(given.logits), {name: _unhalved(value) for name, value in given.taps.items()}, inner)


def _unhalved(value: torch.Tensor) -> torch.Tensor:
    return value if value.dtype == torch.float64 else value.float()


def detached(given: Outputs) -> Outputs:
    """Outputs through which no gradient flows."""
    inner = {role: tuple(value.detach() for value in layers) for role, layers in given.inner.items()}
    return Outputs(given.logits.detach(), {name: value.detach() for name, value in given.taps.items()}, inner)


def live(module: nn.Module, taps: Sequence[str], inner: Mapping[str, Sequence[str]] | None = None) -> Live:
    """A teacher that is frozen and in eval mode."""
    frozen = module.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Live(frozen, taps, inner=inner or {})


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
