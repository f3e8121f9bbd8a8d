"""MNIST: 28x28 grey images of handwritten digits, with who wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Refusal, Samples, dataset
from kdbench.datasets._idx import ten_classes
from kdbench.datasets._sheet import read_sheet

WRITERS = "vision/mnist/writer_groups.parquet"


@dataset(
    kind="image",
    files=(
        "vision/mnist/train-images-idx3-ubyte.gz",
        "vision/mnist/train-labels-idx1-ubyte.gz",
        "vision/mnist/t10k-images-idx3-ubyte.gz",
        "vision/mnist/t10k-labels-idx1-ubyte.gz",
        "vision/mnist/writer_groups.parquet",
    ),
    licence="MIT (pixels), BSD (writers, from QMNIST)",
    groups=("population",),
)
def mnist(root: Path | None) -> Samples:
    """Ten digits, uint8 (70000, 1, 28, 28) (LeCun et al. 1998), with writers from QMNIST (Yadav & Bottou, arXiv:1905.10498).

    Group `population`: census_employee (NIST series hsf_0) or high_school_student (hsf_4); 4,999 and 5,001 in test.
    Cluster: the writer, 539 in train and 297 others in test: a writer's digits are alike, so validation is split, and
    intervals are resampled, by writer. Official split: 60,000 train, 10,000 test.
    """
    x, y, ids, split = ten_classes(root, "vision/mnist")
    sheet = read_sheet(root, WRITERS, ("split", "index", "label", "population", "writer_id"))
    held = sheet.columns
    mine = [f"{'test' if s == 't10k' else s}-{int(i):05d}" for s, i in zip(held["split"], held["index"], strict=True)]
    if mine != ids.tolist() or [int(v) for v in held["label"]] != y.tolist():
        raise Refusal(f"{sheet.path}: rows do not belong to the images beside it (split, index and label must match row by row)")
    groups = {"population": np.array(held["population"])}
    licence = "MIT (pixels), BSD (writers, from QMNIST)"
    source = "rasbt/mnist-pngs; writers facebookresearch/qmnist"
    classes = tuple("0123456789")
    return Samples("image", {"image": x}, y, ids, classes, licence, source, groups, split, np.array(held["writer_id"]))
