"""Rows a second, from the same timed blocks as the latency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench import metric


@metric(
    form="measured",
    better="higher",
    unit="rows/s",
    low=0.0,
    axis="latency",
    title="Throughput",
    equation="batch / latency, the median_b min_q of the time of call q of block b",
    source="offline scenario of MLPerf Inference (Reddi et al. 2020); block minima: Chen and Revels 2016",
    convention="rows of one call over its latency, so the best case of one caller that waits for each answer; throughput x "
    "latency = batch; not comparable between runs",
    reads="decisions",
)
def throughput(latency: Mapping[str, Any]) -> np.ndarray:
    """Block minima of the contender in seconds, and the rows of a call, (blocks, 2)."""
    best = latency.get("best_contender")  # absent from timings taken elsewhere: then all of the wall time counts
    best = np.asarray(latency["wall_contender"].min(axis=1) if best is None else best)
    return np.stack([best, np.full_like(best, float(latency.get("batch", 1)))], axis=1)


def finish(blocks: np.ndarray) -> np.ndarray:
    """Rows over the median time, (..., blocks, 2) -> (...)."""
    return np.asarray(blocks[..., 0, 1] / np.median(blocks[..., 0], axis=-1))


def note(latency: Mapping[str, Any]) -> str:
    """How many rows a call has."""
    return f"{latency.get('batch', 1)} rows a call"
