"""CPU time of the contender over CPU time of the teacher, measured side by side."""

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
    title="CPU time / teacher",
    equation="mean CPU time of a call of the contender / mean CPU time of a call of the teacher",
    source="process CPU clock, ratio of means; blocks are resampled as in Efron 1979",
    convention="mean CPU time of all timed calls of the contender over that of the teacher; interval by bootstrap over blocks",
    undefined="the CPU clock did not advance",
    reads="decisions",
)
def cpu_time_ratio(latency: Mapping[str, Any], null: Mapping[str, Any] | None = None) -> np.ndarray:
    """Mean CPU seconds per call of each block, (blocks, 2): contender, teacher."""
    return np.stack([latency["cpu_contender"].mean(axis=1), latency["cpu_reference"].mean(axis=1)], axis=1)


def finish(blocks: np.ndarray) -> np.ndarray:
    """The ratio of the means, (..., blocks, 2) -> (...)."""
    contender, reference = np.moveaxis(blocks.mean(axis=-2), -1, 0)
    return np.asarray(np.divide(contender, reference, out=np.full(np.shape(contender), np.nan), where=reference > 0))


def doubt(null: Mapping[str, Any] | None = None) -> str:
    """Why the number is noisy: the null pair is off by more than 2 %, or there is none."""
    if null is None:
        return "no null pair was measured: the noise floor is unknown"
    floor = float(finish(cpu_time_ratio(null)))
    return "" if abs(floor - 1) <= 0.02 else f"the teacher against itself reads {floor:.3f}: more than 2 % off"


def note(latency: Mapping[str, Any]) -> str:
    """How many tokens each model reads, where their tokenizers differ."""
    return own_tokens(latency)
