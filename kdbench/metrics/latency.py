"""Best-case time of one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench import metric

from ._own_tokens import own_tokens


@metric(
    form="measured",
    better="lower",
    unit="microseconds",
    low=0.0,
    axis="latency",
    title="Latency",
    equation="median_b min_q (wall time of call q of block b - time in it that the thread waited for a processor)",
    source="median of block minima: Chen and Revels 2016 (Robust benchmarking in noisy environments)",
    convention="best case: median over blocks of the fastest of a block's calls, wall clock without the waiting for a processor "
    "that others held; not comparable between runs",
    reads="decisions",
)
def latency(latency: Mapping[str, Any]) -> np.ndarray:
    """Block minima of the contender in microseconds, (blocks, 1)."""
    best = latency.get("best_contender")  # absent from timings taken elsewhere: then all of the wall time counts
    best = latency["wall_contender"].min(axis=1) if best is None else best
    return np.asarray(best[:, None] * 1e6)


def finish(blocks: np.ndarray) -> np.ndarray:
    """The median over blocks, (..., blocks, 1) -> (...)."""
    return np.asarray(np.median(blocks[..., 0], axis=-1))


def note(latency: Mapping[str, Any]) -> str:
    """The load that it was taken under, and how many tokens each model reads, where their tokenizers differ."""
    before, after = latency.get("load_before"), latency.get("load_after")
    load = "" if before is None or after is None else f"load average {_load(before)} before, {_load(after)} after"
    return "; ".join(filter(None, (load, own_tokens(latency))))


def _load(value: Any) -> str:
    return f"{float(value[0] if isinstance(value, list) else value):.1f}"
