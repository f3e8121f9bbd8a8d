"""The one resampling engine: bootstrap weights for all draws at once, the same for everything that is compared.

Efron's bootstrap as multinomial weights: a draw is a whole number of copies of each unit, so that a mean of columns is a matrix
product, exact and fast, and differences between contenders, metrics and groups are paired. The units are the examples; the
clusters, where rows belong together; and in large sets random groups of them of equal size (Hansen, Hurwitz and Madow 1953;
Wolter 2007, chapter 2): the sums of a group are drawn together, which leaves variances and biases unbiased and lets a million
rows cost what their sums cost. With 1,024 groups a standard error is itself known to 2.2 %, as much as 1,000 draws leave open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from kdbench.judge.columns import Columns, dense, sums, take, width

CELLS = 24_000_000
"""Weights that are held at once (4 bytes each): with 1,000 draws, up to 24,000 examples are units of their own."""
GROUPS = 1024
"""Random groups of units in a larger set."""
NARROW = 64
"""Columns up to which cells are multiplied written out: faster than a sparse product."""


class Means(NamedTuple):
    """Means over examples, and the same in every draw."""

    mean: np.ndarray
    draws: np.ndarray


@dataclass(slots=True)
class Resampler:
    """Weights of n examples in `draws` draws. cluster (n,): code of each example's cluster, None where rows are independent."""

    n: int
    draws: int
    seed: int
    cluster: np.ndarray | None = None
    unit: np.ndarray | None = field(init=False, default=None)
    """The unit of each example (n,); None where each is its own."""
    units: int = field(init=False, default=0)
    """How many are drawn with replacement."""
    _beside: dict[int, Resampler] = field(init=False, default_factory=dict)
    _joints: dict[int, tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Form the units."""
        own = self.own
        if own * self.draws <= CELLS:
            self.unit, self.units = self.cluster, own
        else:
            group = _groups(own, self.seed)
            self.unit, self.units = (group if self.cluster is None else group[self.cluster]), GROUPS

    def beside(self, n: int) -> Resampler:
        """The weights of a companion set of n examples, drawn independently of these, in as many draws."""
        if n not in self._beside:
            self._beside[n] = Resampler(n, self.draws, seed_of(str(self.seed), "beside"))
        return self._beside[n]

    @property
    def own(self) -> int:
        """How many independent things there are: examples, or clusters; also where random groups of them are drawn."""
        return self.n if self.cluster is None else int(self.cluster.max(initial=-1)) + 1

    def own_of(self, rows: np.ndarray | None) -> int:
        """How many there are among some rows."""
        if rows is None:
            return self.own
        return len(rows) if self.cluster is None else len(np.unique(self.cluster[rows]))

    @property
    def weights(self) -> np.ndarray:
        """Float32 (draws, units), whole numbers that sum to `units`. Do not write into it."""
        return _weights(self.units, self.draws, self.seed)

    def blocks(self, draws: int) -> Iterator[np.ndarray]:
        """Float32 weights of the examples (b, n) of the first draws, b at a time."""
        step = max(1, CELLS // max(1, self.n))
        for start in range(0, min(draws, self.draws), step):
            held = self.weights[start : min(start + step, draws)]
            yield held if self.unit is None else held.take(self.unit, axis=1)

    def means(self, columns: Columns, rows: np.ndarray | None = None) -> np.ndarray:
        """The weighted means of columns (n, d) over some rows (default all), in every draw: float64 (draws, d). NaN where no row
        was drawn.
        """
        return self.part_means(take(columns, rows), rows)

    def part_means(self, part: Columns, rows: np.ndarray | None = None) -> np.ndarray:
        """As `means`, of the columns of these rows alone."""
        if self.unit is not None:
            unit = self.unit if rows is None else self.unit[rows]
            return self._of_sums(sums(part, unit, self.units), self._drawn(np.bincount(unit, minlength=self.units)))
        weights = self.weights if rows is None else self.weights.take(rows, axis=1)
        return ratio(_products(weights, part), weights.sum(axis=1, dtype=np.float64)[:, None])

    def of_all(self, columns: Columns) -> Means:
        """The means over all examples, (d,), and in every draw, (draws, d), from one pass."""
        if self.unit is None:
            return Means(sums(columns)[0] / self.n, self.means(columns))
        of_units = sums(columns, self.unit, self.units)
        return Means(of_units.sum(axis=0) / self.n, self._of_sums(of_units, self._joint(None, 1)[2]))

    def of_groups(self, columns: Columns, code: np.ndarray, count: int) -> Means:
        """The means over each of `count` groups, (count, d), and in every draw, (draws, count, d). code (n,): the group of each
        example. NaN where a group has no example, or no example was drawn.
        """
        if self.unit is None:
            total, size = sums(columns, code, count), np.bincount(code, minlength=count)[:, None]
            draws = [self.means(columns, np.flatnonzero(code == group)) for group in range(count)]
            return Means(ratio(total, size), np.stack(draws, axis=1))
        joint, size, drawn = self._joint(code, count)
        table = sums(columns, joint, self.units * count).reshape(self.units, count, -1)
        return Means(ratio(table.sum(axis=0), size[:, None]), self._of_sums(table, drawn))

    def _of_sums(self, of_units: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Means in every draw from the sums of each unit (units, ..., d), and from how many examples were drawn (draws, ...)."""
        total = self.weights @ of_units.reshape(self.units, -1).astype(np.float32)
        return ratio(total.reshape(self.draws, *of_units.shape[1:]), drawn[..., None])

    def _drawn(self, size: np.ndarray) -> np.ndarray:
        """How many examples each draw holds, (draws, ...), where each unit has `size` of them, (units, ...)."""
        return np.asarray(self.weights @ size.astype(np.float32))

    def _joint(self, code: np.ndarray | None, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unit and group of each example as one code (n,); how many examples each group has, and in each draw. Kept: all metrics
        of a task ask for the same groups.
        """
        assert self.unit is not None
        if id(code) not in self._joints:
            joint = self.unit if code is None else self.unit * count + code
            size = np.bincount(joint, minlength=self.units * count)
            size = size if code is None else size.reshape(self.units, count)
            self._joints[id(code)] = code, joint, size.sum(axis=0), self._drawn(size)
        return self._joints[id(code)][1:]


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """A quotient in float64, NaN where `below` is 0."""
    shape = np.broadcast_shapes(above.shape, below.shape)
    return np.asarray(np.divide(above, below, out=np.full(shape, np.nan), where=below > 0, dtype=np.float64))


def _products(weights: np.ndarray, columns: Columns) -> np.ndarray:
    """Weights (b, n) @ columns (n, d); cells are a sparse matrix with one entry a row."""
    if isinstance(columns, np.ndarray) or width(columns) <= NARROW:
        return np.asarray(weights @ dense(columns).astype(np.float32))
    found, n = [], weights.shape[1]
    turned = np.ascontiguousarray(weights.T)
    for cells in columns:
        inside = np.flatnonzero(cells.code >= 0)
        for values in (np.ones(n), *cells.values):
            place = (cells.code[inside], inside)
            matrix = sparse.csr_array((values[inside].astype(np.float32), place), shape=(cells.count, n))
            found.append((matrix @ turned).T)
    return np.concatenate(found, axis=1)


@lru_cache(maxsize=4)
def _weights(units: int, draws: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, units])
    small = units == GROUPS  # a power of two below 2**16: the fastest integers
    weights = np.empty((draws, units), dtype=np.float32)
    step = max(1, 65_536 // max(1, units))  # the counts of a step stay in cache
    for low in range(0, draws, step):
        b = min(step, draws - low)
        picked = rng.integers(0, units, size=(b, units), dtype=np.uint16 if small else np.int64)
        code = picked + (np.arange(b) * units)[:, None]
        weights[low : low + b] = np.bincount(code.ravel(), minlength=units * b).reshape(b, units)
    weights.setflags(write=False)
    return weights


@lru_cache(maxsize=4)
def _groups(own: int, seed: int) -> np.ndarray:
    """A random group for each of `own` units; sizes differ by one at most."""
    group = np.random.default_rng([seed, own, GROUPS]).permutation(own) % GROUPS
    group.setflags(write=False)
    return group


def seed_of(*names: str) -> int:
    """The seed of a task's draws: the same for each of its metrics, contenders and runs."""
    return int.from_bytes(hashlib.sha256("/".join(("resample", *names)).encode()).digest()[:8], "big") >> 1


def block_draws(blocks: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Measured blocks (n, d), resampled with replacement: (draws, n, d)."""
    rng = np.random.default_rng([seed, len(blocks)])
    return np.asarray(blocks[rng.integers(0, len(blocks), size=(draws, len(blocks)))])
