"""The one resampling engine: bootstrap weights for all draws at once, the same for everything that is compared.

Efron's bootstrap as multinomial weights: a draw is a whole number of copies of each example (or of each cluster, where rows
belong together), so that a mean of columns is a matrix product, exact and fast, and differences between contenders are paired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

CELLS = 24_000_000
"""Weights that are held at once (4 bytes each)."""


@dataclass(slots=True)
class Resampler:
    """Weights of n examples in `draws` draws. cluster (n,): code of each example's cluster, None where rows are independent."""

    n: int
    draws: int
    seed: int
    cluster: np.ndarray | None = None
    _held: np.ndarray | None = None
    _beside: dict[int, Resampler] = field(default_factory=dict)

    def beside(self, n: int) -> Resampler:
        """The weights of a companion set of n examples, drawn independently of these, in as many draws."""
        if n not in self._beside:
            self._beside[n] = Resampler(n, self.draws, seed_of(str(self.seed), "beside"))
        return self._beside[n]

    @property
    def units(self) -> int:
        """What is drawn with replacement: examples, or clusters."""
        return self.n if self.cluster is None else int(self.cluster.max(initial=-1)) + 1

    def blocks(self, draws: int | None = None) -> Iterator[np.ndarray]:
        """Float32 weights (b, n), b draws at a time; together `draws` (default all) of them."""
        total = self.draws if draws is None else min(draws, self.draws)
        width = max(1, min(self.draws, CELLS // max(1, self.n)))
        for start in range(0, total, width):
            size = min(width, self.draws - start)
            if start == 0:  # the first block serves every contender and slice; larger sets draw the others again
                if self._held is None:
                    self._held = self._draw(0, size)
                block = self._held
            else:
                block = self._draw(start, size)
            yield block[: total - start]

    def first(self, draws: int) -> np.ndarray:
        """The weights (draws, n) of the first draws."""
        return np.concatenate(list(self.blocks(draws)))

    def _draw(self, start: int, size: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, start])
        units = self.units
        weights = np.empty((size, units), dtype=np.float32)
        step = max(1, 1_000_000 // max(1, units))
        for low in range(0, size, step):
            b = min(step, size - low)
            picked = rng.integers(0, units, size=(b, units)) + np.arange(b)[:, None] * units
            weights[low : low + b] = np.bincount(picked.ravel(), minlength=units * b).reshape(b, units)
        return weights if self.cluster is None else weights[:, self.cluster]

    def means(self, columns: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """The weighted means of float32 columns (n, d) over some rows, in every draw: (draws, d). NaN where no row was drawn."""
        part = columns if rows is None else columns[rows]
        found = []
        for block in self.blocks():
            weights = block if rows is None else block.take(rows, axis=1)
            size = weights.sum(axis=1, dtype=np.float64)[:, None]
            sums = (weights @ part).astype(np.float64)
            found.append(np.divide(sums, size, out=np.full(sums.shape, np.nan), where=size > 0))
        return np.concatenate(found)


def seed_of(*names: str) -> int:
    """The seed of a task's draws: the same for each of its metrics, contenders and runs."""
    return int.from_bytes(hashlib.sha256("/".join(("resample", *names)).encode()).digest()[:8], "big") >> 1


def block_draws(blocks: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Measured blocks (n, d), resampled with replacement: (draws, n, d)."""
    rng = np.random.default_rng([seed, len(blocks)])
    return np.asarray(blocks[rng.integers(0, len(blocks), size=(draws, len(blocks)))])
