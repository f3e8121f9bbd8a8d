"""Two halves of the test examples that do not depend on their order."""

from __future__ import annotations

import hashlib

import numpy as np


def halves(units: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(first, cluster): bool (n,), whether a row lies in the half that is searched; int (n,), the code of its unit.

    By a bit of the SHA-256 of seed and unit (an id, or the name of a cluster): rows of one unit lie together.
    """
    names, cluster = np.unique(units, return_inverse=True)
    bits = [hashlib.sha256(f"discovery/{seed}/{name}".encode()).digest()[0] & 1 for name in names.tolist()]
    return np.array(bits, dtype=bool)[cluster], cluster
