"""Strong lossy compression: the coarse frequencies of 8x8 blocks survive."""

from __future__ import annotations

import numpy as np
from scipy.fft import dctn, idctn  # type: ignore[import-untyped]

from kdbench import shift

QUALITY = (40, 25, 15, 9, 5)
BLOCK = 8
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""ITU-T T.81 (JPEG), table K.1."""


@shift(kinds=("image",))
def jpeg_like(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """The lossy step of JPEG: an 8x8 block DCT rounded to table K.1, scaled to quality 40, 25, 15, 9, 5 as libjpeg does.

    x float32 (n, c, h, w) in 0..1; each channel is treated as luminance (no colour conversion or subsampling); edges are
    repeated up to whole blocks. No file is written, so no image library is needed. rng is not used.
    """
    del rng
    n, channels, height, width = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (0, -height % BLOCK), (0, -width % BLOCK)), mode="edge")
    rows, columns = padded.shape[2] // BLOCK, padded.shape[3] // BLOCK
    blocks = padded.reshape(n, channels, rows, BLOCK, columns, BLOCK) * np.float32(255) - np.float32(128)
    quality = QUALITY[severity - 1]
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    table = np.clip(np.floor((np.array(LUMINANCE) * scale + 50) / 100), 1, 255).astype(np.float32)
    step = table[:, None, :]
    coded = np.rint(dctn(blocks, axes=(3, 5), norm="ortho") / step) * step
    back = (idctn(coded, axes=(3, 5), norm="ortho") + 128) / 255
    return np.asarray(np.clip(back.reshape(padded.shape)[:, :, :height, :width], 0, 1), np.float32)
