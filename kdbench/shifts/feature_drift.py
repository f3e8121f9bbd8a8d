"""Another year, another instrument: whole columns move and stretch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdbench import Refusal, shift

MOVED = (0.1, 0.25, 0.5, 0.75, 1.0)


@shift(kinds=("table",))
def feature_drift(x: Mapping[str, np.ndarray], severity: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Every numeric column moves by d standard deviations, up or down at random, and stretches by 1 + d / 2 about its train mean.

    d = .1, .25, .5, .75, 1. x: numeric float32 (n, p), standardised; categorical codes (n, q), kept. All rows drift alike
    (covariate drift): no noise is added, and the order of the values within a column stays.
    """
    if not x["numeric"].shape[1]:
        raise Refusal("feature_drift: the data has no numeric columns")
    moved = np.float32(MOVED[severity - 1])
    sign = (2 * rng.integers(0, 2, x["numeric"].shape[1]) - 1).astype(np.float32)
    return {**x, "numeric": x["numeric"] * (1 + moved / 2) + sign * moved}
