"""Predictions of any number of rows, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

CHUNK = 256


def predictor(
    call: Callable[[Any], Any], ready: Callable[[dict[str, np.ndarray]], Any] = dict, batch: object = None
) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """A prediction {input: array (n, ...)} -> float32 logits (n, classes), made of calls of 256 rows.

    batch: rows of a call, if a whole number: the model takes exactly as many. The last call is then filled up with copies of
    its last row, whose answers are dropped.
    """
    size = batch if isinstance(batch, int) and batch > 0 else CHUNK

    def predict(x: Mapping[str, np.ndarray]) -> np.ndarray:
        n = len(next(iter(x.values())))
        parts = []
        for start in range(0, max(n, 1), size):
            rows = {name: np.ascontiguousarray(values[start : start + size]) for name, values in x.items()}
            real = min(size, n - start)
            if batch == size and 0 < real < size:
                rows = {name: np.concatenate([v, np.repeat(v[-1:], size - real, axis=0)]) for name, v in rows.items()}
            parts.append(np.asarray(call(ready(rows)), dtype=np.float32)[:real])
        return np.concatenate(parts)

    return predict
