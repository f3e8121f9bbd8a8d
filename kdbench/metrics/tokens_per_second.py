"""Tokens a second, from the same timed blocks as the latency: read at once, or written one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench import NotApplicable, metric


@metric(
    form="measured",
    better="higher",
    unit="tokens/s",
    low=0.0,
    axis="latency",
    title="Tokens a second",
    equation="rows x tokens of a call / latency, the median_b min_q of the time of call q of block b",
    source="tokens a second, as the language models of MLPerf Inference are measured; here of one caller",
    convention="of a call that reads rows (prefill): every token of it, what fills it up too; in a scenario decode=n: one token "
    "a row, written after n tokens that are remembered; one caller that waits for each answer; not comparable between runs",
    reads="decisions",
)
def tokens_per_second(latency: Mapping[str, Any]) -> np.ndarray:
    """Block minima of the contender in seconds, and the tokens of a call, (blocks, 2)."""
    if not latency.get("tokens"):
        raise NotApplicable("its inputs are not tokens")
    best = latency.get("best_contender")  # absent from timings taken elsewhere: then all of the wall time counts
    best = np.asarray(latency["wall_contender"].min(axis=1) if best is None else best)
    return np.stack([best, np.full_like(best, float(latency.get("batch", 1)) * float(latency["tokens"]))], axis=1)


def finish(blocks: np.ndarray) -> np.ndarray:
    """Tokens over the median time, (..., blocks, 2) -> (...)."""
    return np.asarray(blocks[..., 0, 1] / np.median(blocks[..., 0], axis=-1))


def note(latency: Mapping[str, Any]) -> str:
    """How many tokens a call has."""
    return f"{latency.get('batch', 1)} rows of {latency.get('tokens', 0)} tokens a call"
