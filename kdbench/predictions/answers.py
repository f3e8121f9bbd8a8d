"""The numbers of a file, checked: finite, of one width, probabilities that are some, logits that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from kdbench.predictions.layout import Layout
from kdbench.tables.raw import Raw

TOLERANCE = 1e-3
"""How far a row of probabilities may sum from 1: float16 and four digits of CSV stay within it."""
ROUNDING = 1e-6
"""How far a sum of float32 or float64 probabilities may be from 1 by rounding alone."""
FLOOR = float(np.finfo(np.float32).tiny)
"""The least probability whose logarithm is taken, 1.18e-38."""


def outputs(raw: Raw, layout: Layout) -> np.ndarray:
    """Logits or probabilities (n, K) as stored: float32, or float64 where the file has that. Raises Refusal with the row."""
    named = [numbers(raw, name) for name in layout.outputs] if layout.named else []
    held = np.stack(named, axis=1) if named else raw.blocks[layout.outputs[0]]
    if held.dtype != np.float32:
        held = held.astype(np.float32 if held.dtype == np.float16 else np.float64)
    what = layout.outputs[0] if not layout.named else f"{layout.outputs[0].partition('.')[0]}.*"
    broken = np.flatnonzero(~np.isfinite(held).all(axis=1))
    if len(broken):
        raise raw.wrong(f"{len(broken)} of {raw.n} rows are not finite; NaN and inf are never scored", what, int(broken[0]))
    if layout.kind == "probabilities":
        _probabilities(raw, held, what)
    elif _sums(held):
        write = what.replace("logits", "probabilities").replace("logit.", "probability.")
        raise raw.wrong(f"every row lies in 0..1 and sums to 1: these are probabilities; call them {write!r}", what)
    return held


def numbers(raw: Raw, name: str) -> np.ndarray:
    """A column of floats (n,) as it is stored. Raises Refusal for text, and for an empty cell."""
    column = raw.columns[name]
    kind = column.type
    if not _numeric(kind):
        raise raw.wrong(f"{'text' if pa.types.is_dictionary(kind) else kind}; numbers are expected", name)
    if column.null_count:
        row = int(np.flatnonzero(np.asarray(column.is_null()))[0])
        raise raw.wrong(f"empty ({column.null_count} such rows); every row needs a number", name, row)
    return np.asarray(column.to_numpy(zero_copy_only=False))


def finite(raw: Raw, name: str, rows: np.ndarray) -> np.ndarray:
    """A column of finite numbers as float64 (n,); what stands outside `rows` (bool (n,)) is 0."""
    column = raw.columns[name]
    if column.null_count and not rows.all() and _numeric(column.type):
        held = column.to_numpy(zero_copy_only=False).astype(np.float64)  # nulls become NaN: refused below where they count
    else:
        held = numbers(raw, name).astype(np.float64)
    held = np.where(rows, held, 0.0)
    broken = np.flatnonzero(~np.isfinite(held))
    if len(broken):
        raise raw.wrong(f"{len(broken)} of {raw.n} rows are empty or not finite; they are never scored", name, int(broken[0]))
    return held


def normalised(probability: np.ndarray) -> np.ndarray:
    """Probabilities (n, K) in float64. A row that sums to 1 but for rounding stays as it is, so that round numbers stay on the
    edges of bins; any other is divided by its sum.
    """
    wide = probability.astype(np.float64)
    sums = wide.sum(axis=1, keepdims=True)
    off = np.abs(sums[:, 0] - 1) > ROUNDING
    wide[off] /= sums[off]
    return wide


def logarithms(probability: np.ndarray) -> np.ndarray:
    """The logarithms in float64, of probabilities not below FLOOR: what the store keeps of probabilities."""
    return np.asarray(np.log(np.maximum(probability.astype(np.float64), FLOOR)))


def _probabilities(raw: Raw, held: np.ndarray, what: str) -> None:
    outside = np.flatnonzero(((held < 0) | (held > 1)).any(axis=1))
    if len(outside):
        row = int(outside[0])
        wrong = held[row][(held[row] < 0) | (held[row] > 1)][0]
        raise raw.wrong(f"{wrong:g} is no probability; 0..1 is allowed ({len(outside)} such rows)", what, row)
    sums = held.sum(axis=1, dtype=np.float64)
    off = np.flatnonzero(np.abs(sums - 1) > TOLERANCE)
    if len(off):
        row = int(off[0])
        text = f"the probabilities sum to {sums[row]:.6g}; 1 is expected, within {TOLERANCE:g} ({len(off)} such rows)"
        raise raw.wrong(text, what, row)


def _sums(held: np.ndarray) -> bool:
    """Whether all rows are distributions: no network's logits are."""
    first = held[:1000]
    if (first < 0).any() or (np.abs(first.sum(axis=1, dtype=np.float64) - 1) > TOLERANCE).any():
        return False
    return bool((held >= 0).all() and (np.abs(held.sum(axis=1, dtype=np.float64) - 1) <= TOLERANCE).all())


def _numeric(kind: Any) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
