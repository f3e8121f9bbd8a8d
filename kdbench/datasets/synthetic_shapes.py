"""Drawn images, no download: stripes, checkers, blobs, rings and ramps, for tests and as an out-of-distribution companion."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from kdbench import Count, Refusal, Samples, Whole, dataset

CLASSES = ("stripes", "checkers", "blobs", "rings", "ramps")


@dataset(kind="image", files=(), licence="Apache-2.0")
def synthetic_shapes(
    root: Path | None, *, n: Count = 1250, size: Count = 28, channels: Literal[1, 3] = 1, seed: Whole = 0
) -> Samples:
    """Five kinds of drawn images, uint8 (n, channels, size, size), in turn; phase, angle, scale, contrast come from `seed`.

    As an out-of-distribution companion it is *near* in its pixel statistics (smooth shapes, full grey range) and *far* in
    meaning: nothing in it is a digit or a garment, so there is no doubt about which side an example is on, which noise
    alone would make too easy. Official split: every fifth round of the five classes is train, the other four are test.
    """
    del root
    if n < 5 * len(CLASSES) or n > 200_000 or not 4 <= size <= 256:
        raise Refusal(f"synthetic_shapes: n {n}, size {size} (allowed: n {5 * len(CLASSES)}..200000, size 4..256)")
    rng = np.random.default_rng(seed)
    y = np.arange(n) % len(CLASSES)
    row, column = np.meshgrid(*(np.linspace(-1, 1, size),) * 2, indexing="ij")
    x = np.empty((n, channels, size, size), np.uint8)
    for i, label in enumerate(y):
        drawn = _draw(CLASSES[label], row, column, rng)
        tint = rng.uniform(0.5, 1.0, (channels, 1, 1)) if channels > 1 else np.ones((1, 1, 1))
        x[i] = np.rint(255 * np.clip(rng.uniform(0.7, 1.0) * drawn[None] * tint, 0, 1))
    split = np.where(np.arange(n) // len(CLASSES) % 5 == 0, "train", "test")
    ids = np.array([f"shape-{i:06d}" for i in range(n)])
    return Samples("image", {"image": x}, y.astype(np.int64), ids, CLASSES, "Apache-2.0", "drawn by kdbench", split=split)


def _draw(kind: str, row: np.ndarray, column: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One image (size, size) in 0..1."""
    angle, phase, pitch = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi), rng.uniform(4, 9)
    along = row * np.sin(angle) + column * np.cos(angle)
    across = column * np.sin(angle) - row * np.cos(angle)
    if kind == "stripes":
        return np.asarray(0.5 + 0.5 * np.sin(pitch * along + phase))
    if kind == "checkers":
        return np.asarray((np.sin(pitch * along + phase) * np.sin(pitch * across + phase) > 0).astype(np.float64))
    if kind == "ramps":
        return np.asarray((along - along.min()) / (along.max() - along.min()))
    middle = rng.uniform(-0.5, 0.5, 2)
    away = np.hypot(row - middle[0], column - middle[1])
    if kind == "rings":
        return np.asarray(0.5 + 0.5 * np.cos(1.5 * pitch * away + phase))
    return np.asarray(np.exp(-((away / rng.uniform(0.2, 0.5)) ** 2)))
