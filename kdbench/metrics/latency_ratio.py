"""Time of the contender over time of the teacher, measured side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench import metric

from ._own_tokens import own_tokens


@metric(
    form="measured",
    better="lower",
    unit="ratio",
    low=0.0,
    axis="latency",
    title="Latency / teacher",
    equation="median_b (min_q t of the contender / min_q t of the teacher), in block b of the order ABBA; t: wall time of a call "
    "- time in it that the thread waited for a processor",
    source="ABBA blocks and minima: Chen and Revels 2016 (Robust benchmarking in noisy environments)",
    convention="median over ABBA blocks of min(contender) / min(teacher), wall clock without the waiting for "
    "a processor that others held; below 1 is faster; interval by bootstrap over blocks",
    reads="decisions",
)
def latency_ratio(latency: Mapping[str, Any], null: Mapping[str, Any] | None = None) -> np.ndarray:
    """Ratios of block minima, (blocks, 1). null: the teacher against a second copy of itself, which sets the noise floor."""
    return np.asarray((_best(latency, "contender") / _best(latency, "reference"))[:, None])


def _best(latency: Mapping[str, Any], role: str) -> np.ndarray:
    best = latency.get(f"best_{role}")  # absent from timings taken elsewhere: then all of the wall time counts
    return np.asarray(latency[f"wall_{role}"].min(axis=1) if best is None else best)


def finish(blocks: np.ndarray) -> np.ndarray:
    """The median over blocks, (..., blocks, 1) -> (...)."""
    return np.asarray(np.median(blocks[..., 0], axis=-1))


def doubt(null: Mapping[str, Any] | None = None) -> str:
    """Why the number is noisy: the null pair is off by more than 2 %, or there is none."""
    if null is None:
        return "no null pair was measured: the noise floor is unknown"
    floor = float(finish(latency_ratio(null)))
    return f"the teacher against itself reads {floor:.3f}: more than 2 % off" if abs(floor - 1) > 0.02 else ""


def note(latency: Mapping[str, Any]) -> str:
    """How many tokens each model reads, where their tokenizers differ."""
    return own_tokens(latency)
