"""Examples in memory, and the order in which a fit sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from kdbench.nouns import Batch


@dataclass(frozen=True, slots=True)
class Pool:
    """One split as tensors: x: name -> (n, ...), y: int64 (n,) or (n, length). Images lie in memory as (n, height, width,
    channels).
    """

    x: Mapping[str, torch.Tensor]
    y: torch.Tensor

    def __len__(self) -> int:
        return self.y.shape[0]

    def batch(self, index: torch.Tensor) -> Batch:
        """The examples of these places. Images come as (b, channels, height, width) in channels_last layout."""
        x = {name: value.index_select(0, index) for name, value in self.x.items()}
        return Batch(
            {k: v.permute(0, 3, 1, 2) if k == "image" else v for k, v in x.items()}, self.y.index_select(0, index), index
        )


def pool(x: Mapping[str, np.ndarray], y: np.ndarray) -> Pool:
    """Copy a split into memory, images channels last: convolutions on a CPU run faster on that layout."""
    held = {}
    for name, value in x.items():
        array = np.ascontiguousarray(np.moveaxis(value, 1, -1) if name == "image" else value)
        held[name] = torch.from_numpy(array if array.flags.writeable else array.copy())
    return Pool(held, torch.from_numpy(np.array(y, dtype=np.int64)))


def steps_per_epoch(n: int, size: int) -> int:
    """How many batches `epoch` gives."""
    return max(1, n // size if n % size == 1 and n > size and size > 1 else -(-n // size))


def epoch(n: int, size: int, stream: Callable[..., int], number: int) -> list[torch.Tensor]:
    """The batches of an epoch, as places in the split: a permutation that depends on the seed and the epoch alone.

    No example is dropped: the last batch may be short. A last batch of a single example joins the one before it, because batch
    norm has no variance of one example.
    """
    order = torch.from_numpy(np.random.default_rng(stream("order", number)).permutation(n))
    cuts = [i * size for i in range(steps_per_epoch(n, size))] + [n]
    return [order[a:b] for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
