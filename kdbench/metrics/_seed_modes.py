"""What several models say about the same examples: how often each class is said, and which most often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdbench import Predictions


def runs(models: Sequence[Predictions]) -> tuple[np.ndarray, np.ndarray]:
    """The decisions about each example in ascending order, and how many equal ones each closes, both (models, n)."""
    said = np.sort(np.stack([one.pred for one in models]), axis=0)
    length = np.ones(said.shape, dtype=np.int64)
    for s in range(1, len(said)):
        length[s] += np.where(said[s] == said[s - 1], length[s - 1], 0)
    return said, length


def modal(models: Sequence[Predictions]) -> np.ndarray:
    """The class that most models decide for, (n,); of several the lowest index."""
    said, length = runs(models)
    return np.asarray(np.take_along_axis(said, length.argmax(axis=0)[None], axis=0)[0])


def votes(models: Sequence[Predictions], classes: int) -> np.ndarray:
    """The share of models that decide for each class, (n, classes)."""
    n = len(models[0].pred)
    place = np.arange(n) * classes
    count = sum(np.bincount(place + one.pred, minlength=n * classes) for one in models)
    return np.asarray(count / len(models)).reshape(n, classes)
