"""Examples in memory, and the order in which a fit sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from kdbench.nouns import IGNORED, Batch

BUCKETS = 50
"""Batches that are sorted by length together: enough that neighbours are alike, few enough that epochs differ."""


@dataclass(frozen=True, slots=True)
class Pool:
    """One split as tensors: x: name -> (n, ...), y: int64 (n,) or (n, length). Images lie in memory as (n, height, width,
    channels). lengths: for tokens, input -> int64 (n,), the positions up to the last that counts; {} for other data.
    """

    x: Mapping[str, torch.Tensor]
    y: torch.Tensor
    padding: int | None = None
    lengths: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.y.shape[0]

    @property
    def cost(self) -> torch.Tensor | None:
        """Positions of each row over all its inputs, int64 (n,); None where all rows are alike, as images are."""
        if not self.lengths:
            return None
        total = torch.stack(tuple(self.lengths.values())).sum(0)
        return total if len(total) and bool((total != total[0]).any()) else None

    def batch(self, index: torch.Tensor) -> Batch:
        """The examples of these places. Images come as (b, channels, height, width) in channels_last layout; tokens as wide as
        the longest row of the batch.
        """
        x = {name: value.index_select(0, index) for name, value in self.x.items()}
        y = self.y.index_select(0, index)
        for name, lengths in self.lengths.items():
            width = max(1, int(lengths.index_select(0, index).max()))
            if y.ndim == 2 and name == _asked(self.x):
                y = y[:, :width].contiguous()
            x[name] = x[name][:, :width].contiguous()
        return Batch({k: v.permute(0, 3, 1, 2) if k == "image" else v for k, v in x.items()}, y, index, self.padding)

    def ordered(self, size: int) -> list[torch.Tensor]:
        """All places in batches of `size`, longest rows first where rows differ in length, so that little is padding."""
        cost = self.cost
        order = torch.arange(len(self)) if cost is None else cost.argsort(descending=True, stable=True)
        return list(torch.split(order, size))


def pool(x: Mapping[str, np.ndarray], y: np.ndarray, padding: int | None = None) -> Pool:
    """Copy a split into memory, images channels last: convolutions on a CPU run faster on that layout.

    padding: for tokens, what fills rows up on the right. A row ends after its last other token, or after its last position
    with a label where that comes later.
    """
    held = {}
    for name, value in x.items():
        array = np.ascontiguousarray(np.moveaxis(value, 1, -1) if name == "image" else value)
        held[name] = torch.from_numpy(array if array.flags.writeable else array.copy())
    labels = torch.from_numpy(np.array(y, dtype=np.int64))
    if padding is None:
        return Pool(held, labels)
    tokens = {name: value for name, value in held.items() if value.dtype == torch.int64 and value.ndim == 2}
    lengths = {name: _ends(value != padding) for name, value in tokens.items()}
    if labels.ndim == 2:
        name = _asked(held)
        lengths[name] = torch.maximum(lengths[name], _ends(labels != IGNORED))
    return Pool(held, labels, padding, lengths)


def _asked(x: Mapping[str, torch.Tensor]) -> str:
    """The input that labels by position belong to: what was said so far, where the model reads one text and writes another."""
    return "prefix" if "prefix" in x else "tokens"


def _ends(counts: torch.Tensor) -> torch.Tensor:
    """The place after the last True of each row (n, length); 0 where there is none."""
    return (counts * torch.arange(1, counts.shape[1] + 1)).amax(1) if counts.shape[1] else counts.sum(1)


def steps_per_epoch(n: int, size: int) -> int:
    """How many batches `epoch` gives."""
    return max(1, n // size if n % size == 1 and n > size and size > 1 else -(-n // size))


def epoch(n: int, size: int, stream: Callable[..., int], number: int, cost: torch.Tensor | None = None) -> list[torch.Tensor]:
    """The batches of an epoch, as places in the split: a permutation that depends on the seed and the epoch alone.

    No example is dropped: the last batch may be short. A last batch of a single example joins the one before it, because batch
    norm has no variance of one example. cost: int64 (n,), how long the examples are, where they differ: then every `BUCKETS`
    batches of the permutation (a quarter of the epoch, where that is less) are sorted by it, and the batches are shuffled.
    """
    rng = np.random.default_rng(stream("order", number))
    order, steps = torch.from_numpy(rng.permutation(n)), steps_per_epoch(n, size)
    cuts = [i * size for i in range(steps)] + [n]
    if cost is not None:
        together = min(BUCKETS, max(1, steps // 4))
        bounds = [*cuts[:-1:together], n]
        parts = [order[a:b] for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
        order = torch.cat([part[cost[part].argsort(stable=True)] for part in parts])
    batches = [order[a:b] for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
    return batches if cost is None else [batches[i] for i in rng.permutation(len(batches))]


def parts(batch: Batch, count: int) -> list[tuple[Batch, float]]:
    """A batch in up to `count` parts of consecutive examples, each with its share of what a mean over the batch counts:
    examples, or positions with a label where y is (b, length). Parts in which nothing counts are left out.
    """
    if count == 1:
        return [(batch, 1.0)]
    by_place = batch.y.ndim == 2 and not batch.y.is_floating_point()
    counted = (batch.y != IGNORED).sum(1) if by_place else torch.ones(len(batch.index), dtype=torch.int64)
    total = int(counted.sum())
    if not total:
        return [(batch, 1.0)]
    found = []
    for place in torch.arange(len(batch.index)).tensor_split(min(count, len(batch.index))):
        share, rows = int(counted[place].sum()) / total, slice(int(place[0]), int(place[-1]) + 1)
        x = {name: value[rows] for name, value in batch.x.items()}
        if share:
            found.append((replace(batch, x=x, y=batch.y[rows], index=batch.index[rows]), share))
    return found
