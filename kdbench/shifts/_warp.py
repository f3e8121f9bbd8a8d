"""Moves pixels: bilinear sampling of a batch of images at other places, vectorised over the batch."""

from __future__ import annotations

import numpy as np

CHUNK = 512


def sample(x: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """X float32 (n, c, h, w) at the places row, column (n, h, w) or broadcastable, in pixels; beyond an edge, the edge."""
    n, _, height, width = x.shape
    row = np.broadcast_to(row, (n, height, width))
    column = np.broadcast_to(column, (n, height, width))
    x = np.ascontiguousarray(x)
    out = np.empty_like(x)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        out[part] = _bilinear(x[part], row[part], column[part])
    return out


def grid(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each pixel, (1, h, 1) and (1, 1, w)."""
    return np.arange(x.shape[2], dtype=np.float64)[None, :, None], np.arange(x.shape[3], dtype=np.float64)[None, None, :]


def _bilinear(x: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    n, channels, height, width = x.shape
    row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    top, left = row.astype(np.int32), column.astype(np.int32)
    down, across = (row - top).astype(np.float32)[:, None], (column - left).astype(np.float32)[:, None]
    right = np.minimum(left + 1, width - 1)
    above, below = top * width, np.minimum(top + 1, height - 1) * width
    first = (np.arange(n * channels) * (height * width)).reshape(n, channels, 1, 1)
    flat = x.reshape(-1)

    def at(place: np.ndarray) -> np.ndarray:
        return np.asarray(flat.take(first + place[:, None]))

    upper, lower = at(above + left), at(below + left)
    upper += (at(above + right) - upper) * across
    lower += (at(below + right) - lower) * across
    return np.asarray(upper + (lower - upper) * down)
