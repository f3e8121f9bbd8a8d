"""Labelled examples: `data: {dataset: my_dataset, rows: 500}`. For a CSV or Parquet file, the built-in `table` needs no code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Count, NonNegative, Samples, dataset


# files: what is read below the data folder (--data, KDBENCH_DATA); their content is part of every key. This one makes its data.
@dataset(kind="table", files=(), licence="CC0-1.0", groups=("side",))
def my_dataset(root: Path | None, *, rows: Count = 400, noise: NonNegative = 0.2) -> Samples:
    """Two interleaved half circles: table of two numbers, classes "upper" and "lower", equally many.

    Group `side`: left or right half. No split: kdbench makes one from its seed.
    """
    rng = np.random.default_rng(0)
    y = np.arange(rows) % 2
    angle = rng.uniform(0, np.pi, rows)
    upper, lower = (np.cos(angle), np.sin(angle)), (1 - np.cos(angle), 0.5 - np.sin(angle))
    x = np.where(y == 0, upper, lower).T
    x = (x + noise * rng.standard_normal(x.shape)).astype(np.float32)
    return Samples(
        kind="table",
        x={"numeric": x, "categorical": np.empty((rows, 0), dtype="<U1")},
        y=y.astype(np.int64),
        ids=np.array([f"point-{i:05d}" for i in range(rows)]),
        classes=("upper", "lower"),
        licence="CC0-1.0",
        source="made by this file",
        groups={"side": np.where(x[:, 0] < 0.5, "left", "right")},
        columns={"numeric": ("across", "up"), "categorical": ()},
    )
