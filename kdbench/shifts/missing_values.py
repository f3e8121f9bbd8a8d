"""Forms half filled in: cells are lost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdbench import shift

SHARE = (0.05, 0.10, 0.20, 0.35, 0.50)


@shift(kinds=("table",))
def missing_values(x: Mapping[str, np.ndarray], severity: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """5, 10, 20, 35, 50 % of the cells are lost: a number becomes the mean of train (0), a category the code "never seen" (0).

    x: numeric float32 (n, p), standardised; categorical codes (n, q). The cells of a lower severity are among those of a higher.
    """
    share = SHARE[severity - 1]
    return {name: np.where(rng.random(value.shape) < share, 0, value).astype(value.dtype) for name, value in x.items()}
