"""The 8x8 digits that ship inside scikit-learn: real images without a download."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from kdbench import Refusal, Samples, dataset
from kdbench.datasets._files import in_package


@dataset(
    kind="image",
    files=("package:sklearn/datasets/data/digits.csv.gz",),
    licence="CC BY 4.0",
    groups=("ink",),
)
def digits(root: Path | None) -> Samples:
    """Ten digits, uint8 (1797, 1, 8, 8): the test part of UCI optdigits (Alpaydin & Kaynak 1998).

    Pixels 0..16 become round(v * 255 / 16); the steps are 15.9 apart, so nothing is lost (v = round(x * 16 / 255)).
    No official split. Who wrote which digit is not published, so no group of people can be given.

    Group `ink`: light, medium or heavy, by thirds of the summed pixels *within the digit's class*. A plain third of all
    images would be a proxy of the label (a 1 has less ink than an 8), and a gap between groups would then only say that
    some digits are harder; within a class, light and heavy are ways of writing the same digit. Equal sums stay together, so
    thirds are near thirds. The cut points come from all rows and are used for nothing but this column.
    """
    del root
    path = in_package("sklearn", "datasets/data/digits.csv.gz", 2**20)
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.int64)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise Refusal(f"{path}: cannot be read ({str(error)[:100]}); install scikit-learn again") from None
    if table.ndim != 2 or table.shape[1] != 65 or table[:, :64].min() < 0 or table[:, :64].max() > 16:
        raise Refusal(f"{path}: 64 pixels of 0..16 and a label were expected in each row; install scikit-learn again")
    pixels, y = table[:, :64], table[:, 64]
    x = np.rint(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    ids = np.array([f"digit-{i:04d}" for i in range(len(y))])
    classes = tuple("0123456789")
    source = "scikit-learn's copy of UCI optdigits (test part)"
    return Samples("image", {"image": x}, y, ids, classes, "CC BY 4.0", source, {"ink": _ink(pixels.sum(axis=1), y)})


def _ink(total: np.ndarray, y: np.ndarray) -> np.ndarray:
    group = np.empty(len(y), "<U6")
    for label in np.unique(y):
        rows = y == label
        low, high = np.quantile(total[rows], [1 / 3, 2 / 3])
        group[rows] = np.where(total[rows] <= low, "light", np.where(total[rows] <= high, "medium", "heavy"))
    return group
