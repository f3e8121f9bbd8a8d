"""Wrong boxes ticked: categories are exchanged between rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdbench import Refusal, shift

SHARE = (0.05, 0.10, 0.20, 0.35, 0.50)


@shift(kinds=("table",))
def category_swap(x: Mapping[str, np.ndarray], severity: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """5, 10, 20, 35, 50 % of the categorical cells take the value of another row, drawn at random; columns keep their mix.

    x: numeric float32 (n, p), kept; categorical codes (n, q). The cells of a lower severity are among those of a higher.
    """
    codes = x["categorical"]
    if not codes.shape[1]:
        raise Refusal("category_swap: the data has no categorical columns")
    hit = rng.random(codes.shape) < SHARE[severity - 1]
    donor = rng.integers(0, len(codes), codes.shape)
    return {**x, "categorical": np.where(hit, np.take_along_axis(codes, donor, axis=0), codes)}
