"""Reads the idx files of MNIST and its family: big-endian header (magic 0x0000TTDD, sizes), then unsigned bytes.

Source of the format: Y. LeCun, "The MNIST database". Only type 8 (unsigned byte) is read, and only as many bytes as the
header announces are ever unpacked, so that a gzip bomb costs nothing.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from kdbench import Refusal
from kdbench.datasets._files import in_folder

MOST_FILE = 64 * 2**20
MOST_ROWS = 100_000
CLASSES = 10
SIDE = 28


def ten_classes(root: Path | None, folder: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Both official parts: x uint8 (n, 1, 28, 28), y int64 (n,), ids "train-00000" .., split; train first. Raises Refusal."""
    parts = [_part(root, folder, name) for name in ("train", "t10k")]
    x = np.concatenate([p[0] for p in parts])
    y = np.concatenate([p[1] for p in parts])
    sizes = [len(p[1]) for p in parts]
    names = ("train", "test")
    ids = np.array([f"{name}-{i:05d}" for name, size in zip(names, sizes, strict=True) for i in range(size)])
    return x, y, ids, np.repeat(names, sizes)


def _part(root: Path | None, folder: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    images = in_folder(root, f"{folder}/{name}-images-idx3-ubyte.gz", MOST_FILE)
    labels = in_folder(root, f"{folder}/{name}-labels-idx1-ubyte.gz", MOST_FILE)
    x, y = read(images, 3), read(labels, 1).astype(np.int64)
    if x.shape[1:] != (SIDE, SIDE):
        raise Refusal(f"{images}: images of {x.shape[1]}x{x.shape[2]}; {SIDE}x{SIDE} expected")
    if len(x) != len(y):
        raise Refusal(f"{labels}: {len(y)} labels for {len(x)} images in {images.name}")
    if y.max() >= CLASSES:
        raise Refusal(f"{labels}: row {int((y >= CLASSES).argmax())}: label {int(y.max())}; 0..{CLASSES - 1} expected")
    return x[:, None], y


def read(path: Path, dimensions: int) -> np.ndarray:
    """A gzipped idx file of unsigned bytes. Raises Refusal for a wrong header, too little or too much data."""
    try:
        with gzip.open(path, "rb") as file:
            head = file.read(4 + 4 * dimensions)
            if len(head) < 4 + 4 * dimensions or head[:4] != bytes((0, 0, 8, dimensions)):
                raise Refusal(f"{path}: not an idx file of unsigned bytes with {dimensions} dimensions")
            shape = struct.unpack(f">{dimensions}I", head[4:])
            if not 1 <= shape[0] <= MOST_ROWS or any(not 1 <= side <= 512 for side in shape[1:]):
                raise Refusal(f"{path}: header announces {shape}; at most {MOST_ROWS} rows of 512x512 are read")
            size = int(np.prod(shape))
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Refusal(f"{path}: cannot be unpacked ({type(error).__name__}: {str(error)[:100]}); fetch the file again") from None
    if len(data) != size:
        raise Refusal(f"{path}: {'more' if len(data) > size else f'{len(data)} of'} {size} bytes that its header announces")
    return np.frombuffer(data, np.uint8).reshape(shape)
