"""Per-example columns, dense or as cells, and their exact means."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from kdbench.nouns import Cells

Columns: TypeAlias = "np.ndarray | tuple[Cells, ...]"
"""Float64 (n, d), or cells that stand for such columns side by side."""


def tidy(found: object, n: int) -> Columns:
    """What a metric gave, as Columns of n examples. Raises ValueError, with what is wrong, for anything else."""
    if isinstance(found, Cells):
        found = (found,)
    if isinstance(found, tuple):
        return tuple(_checked(cells, n) for cells in found)
    columns = np.asarray(found, dtype=np.float64)
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2 or len(columns) != n:
        raise ValueError(f"invalid columns: shape {columns.shape} for {n} examples")
    bad = int((~np.isfinite(columns)).any(axis=1).sum())
    if bad:
        raise ValueError(f"invalid columns: {bad} of {n} rows are not finite")
    return columns


def _checked(cells: object, n: int) -> Cells:
    if not isinstance(cells, Cells) or any(np.shape(a) != (n,) for a in (cells.code, *cells.values)):
        raise ValueError(f"invalid columns: a tuple must hold Cells of {n} examples")
    if n and (cells.code.min() < -1 or cells.code.max() >= cells.count):
        raise ValueError(f"invalid columns: a cell outside 0..{cells.count - 1}")
    bad = sum(int((~np.isfinite(v)).sum()) for v in cells.values if v.dtype != np.bool_)
    if bad:
        raise ValueError(f"invalid columns: {bad} of {n} rows are not finite")
    return cells


def width(columns: Columns) -> int:
    """The number of columns."""
    return columns.shape[1] if isinstance(columns, np.ndarray) else sum(cells.width for cells in columns)


def sums(columns: Columns, unit: np.ndarray | None = None, units: int = 1) -> np.ndarray:
    """The sums of the columns over the examples of each unit, float64 (units, d). unit (n,): codes; None: all are one unit."""
    if isinstance(columns, np.ndarray):
        if unit is None:
            return np.asarray(columns.sum(axis=0)[None])
        return np.stack([np.bincount(unit, weights=c, minlength=units) for c in columns.T], axis=1)
    return np.concatenate([_of_cells(cells, unit, units) for cells in columns], axis=1)


def _of_cells(cells: Cells, unit: np.ndarray | None, units: int) -> np.ndarray:
    if cells.count == 1:  # in or out: the unit itself is the place to count at
        inside = cells.code >= 0
        place = np.zeros(len(inside), dtype=np.int64) if unit is None else unit
        return np.stack([np.bincount(place, w, units) for w in (inside, *(v * inside for v in cells.values))], axis=1)
    code, count = np.asarray(cells.code), cells.count
    if len(code) and code.min() < 0:  # what lies in no cell is counted in one more, and dropped: cheaper than picking the others
        code, count = np.where(code < 0, count, code), count + 1
    if unit is not None:
        code = unit.astype(np.int64, copy=False) * count + code
    found = [np.bincount(code, weights=v, minlength=units * count) for v in (None, *cells.values)]
    return np.concatenate([f.reshape(units, count)[:, : cells.count].astype(np.float64) for f in found], axis=1)


def take(columns: Columns, rows: np.ndarray | None) -> Columns:
    """The columns of some rows; None for all."""
    if rows is None:
        return columns
    if isinstance(columns, np.ndarray):
        return np.asarray(columns[rows])
    return tuple(Cells(c.code[rows], c.count, tuple(v[rows] for v in c.values)) for c in columns)


def dense(columns: Columns) -> np.ndarray:
    """The columns written out, float64 (n, d)."""
    if isinstance(columns, np.ndarray):
        return columns
    blocks = []
    for cells in columns:
        inside = (cells.code[:, None] == np.arange(cells.count)).astype(np.float64)
        blocks += [inside, *(inside * np.asarray(v, dtype=np.float64)[:, None] for v in cells.values)]
    return np.concatenate(blocks, axis=1)
