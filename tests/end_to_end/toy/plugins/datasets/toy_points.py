"""Two clouds of points."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Count, Samples, dataset


@dataset(kind="table", files=(), groups=("side",))
def toy_points(root: Path | None, *, n: Count = 240) -> Samples:
    """Points around (-1, 0) and (1, 0), with the side of the second coordinate as group."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    numeric = (rng.normal(0, 1, (n, 2)) + np.stack([2 * y - 1, 0 * y], 1)).astype(np.float32)
    return Samples(
        "table",
        {"numeric": numeric, "categorical": np.empty((n, 0), dtype="<U1")},
        y.astype(np.int64),
        np.array([f"p{i}" for i in range(n)]),
        ("left", "right"),
        "public domain",
        "made here",
        groups={"side": np.where(numeric[:, 1] > 0, "up", "down")},
        columns={"numeric": ("a", "b"), "categorical": ()},
        positive="right",
    )
