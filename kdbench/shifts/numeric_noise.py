"""Imprecise measurements: noise on every number of a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdbench import Refusal, shift

SIGMA = (0.1, 0.2, 0.4, 0.7, 1.0)


@shift(kinds=("table",))
def numeric_noise(x: Mapping[str, np.ndarray], severity: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Numeric + sigma * N(0, 1), with sigma = .1, .2, .4, .7, 1 standard deviations of the train column.

    x: numeric float32 (n, p), standardised; categorical codes (n, q), kept. Whole numbers and flags become fractions.
    """
    if not x["numeric"].shape[1]:
        raise Refusal("numeric_noise: the data has no numeric columns")
    noise = rng.standard_normal(x["numeric"].shape, dtype=np.float32)
    return {**x, "numeric": x["numeric"] + np.float32(SIGMA[severity - 1]) * noise}
