"""Independent streams of random numbers from one seed, by name and never by contender.

Two contenders with the same architecture and seed draw the same initial weights, the same order of examples and the same
augmentation: differences between them are paired (common random numbers).
"""

from __future__ import annotations

import hashlib


def stream(seed: int, *names: str | int) -> int:
    """63 bits of sha256 over the seed and the names: `stream(0, "order", 3)` is the order of epoch 3.

    Names are written with their type, so that 1 and "1" are different streams, and joined by a character that no name holds.
    """
    text = "\x1f".join(f"{type(name).__name__}:{name}" for name in (int(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
