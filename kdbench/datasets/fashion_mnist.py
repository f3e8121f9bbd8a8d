"""Fashion-MNIST: 28x28 grey images of clothing, the official split."""

from __future__ import annotations

from pathlib import Path

from kdbench import Samples, dataset
from kdbench.datasets._idx import ten_classes


@dataset(
    kind="image",
    files=(
        "vision/fashion_mnist/train-images-idx3-ubyte.gz",
        "vision/fashion_mnist/train-labels-idx1-ubyte.gz",
        "vision/fashion_mnist/t10k-images-idx3-ubyte.gz",
        "vision/fashion_mnist/t10k-labels-idx1-ubyte.gz",
    ),
    licence="MIT",
)
def fashion_mnist(root: Path | None) -> Samples:
    """Ten kinds of clothing, uint8 (70000, 1, 28, 28), 6000 + 1000 a class (Xiao et al., arXiv:1708.07747).

    Official split: 60,000 train, 10,000 test; validation is taken from train. No group column is known for it.
    """
    x, y, ids, split = ten_classes(root, "vision/fashion_mnist")
    classes = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
    source = "zalandoresearch/fashion-mnist, official idx files"
    return Samples("image", {"image": x}, y, ids, classes, "MIT", source, split=split)
