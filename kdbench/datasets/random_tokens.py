"""Random texts: tokens out of a hat, for what does not depend on words: size, operations, speed, memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Count, Refusal, Samples, Whole, dataset


@dataset(kind="tokens", files=(), licence="Apache-2.0")
def random_tokens(
    root: Path | None,
    *,
    n: Count = 100,
    length: Count = 128,
    vocabulary: Count = 30522,
    classes: Count = 2,
    seed: Whole = 0,
) -> Samples:
    """Rows of tokens, int64 (n, length), uniform in 1..vocabulary - 1, and labels that have nothing to do with them.

    No row is padded (0 does not occur), so every model computes on the full length. Labels take turns, so that all classes are
    equally frequent; nothing can be learned, and accuracy on it says nothing about a model. kdbench splits.
    """
    del root
    if not 2 <= classes <= n or vocabulary < 3 or n * length > 50_000_000:
        raise Refusal(
            f"random_tokens: n {n}, length {length}, vocabulary {vocabulary}, classes {classes} (allowed: n * length up to "
            "50000000, vocabulary 3 or more, classes 2..n)"
        )
    x = np.random.default_rng(seed).integers(1, vocabulary, (n, length), dtype=np.int64)
    ids = np.array([f"random-{i:06d}" for i in range(n)])
    names = tuple(f"class {i}" for i in range(classes))
    notes = ("random tokens with random labels: nothing can be learned, and quality on them means nothing",)
    return Samples("tokens", {"tokens": x}, np.arange(n) % classes, ids, names, "Apache-2.0", "drawn by kdbench", notes=notes)
