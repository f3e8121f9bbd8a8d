"""Unit errors and slips of the key: a few numbers are far too large."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdbench import Refusal, shift

SHARE = (0.01, 0.02, 0.04, 0.07, 0.10)
FAR = 5.0


@shift(kinds=("table",))
def outliers(x: Mapping[str, np.ndarray], severity: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """1, 2, 4, 7, 10 % of the numeric cells become 5 to 10 standard deviations from the train mean, on either side.

    x: numeric float32 (n, p), standardised; categorical codes (n, q), kept.
    The cells of a lower severity are among those of a higher one.
    """
    numeric = x["numeric"]
    if not numeric.shape[1]:
        raise Refusal("outliers: the data has no numeric columns")
    hit = rng.random(numeric.shape) < SHARE[severity - 1]
    sign = 2.0 * rng.integers(0, 2, numeric.shape) - 1
    value = sign * rng.uniform(FAR, 2 * FAR, numeric.shape)
    return {**x, "numeric": np.where(hit, value, numeric).astype(np.float32)}
