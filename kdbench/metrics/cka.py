"""Linear centred kernel alignment of the features of a student and its teacher (Kornblith et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from kdbench import Undefined, metric

NOISE = 1e-12
"""Spread of a feature beside its size, below which float32 holds no more than rounding: such features are constant."""


@metric(
    form="set",
    better="higher",
    low=0.0,
    high=1.0,
    axis="fidelity",
    title="Linear CKA with the teacher",
    convention="linear kernel, columns centred on the examples of the slice, biased HSIC: with few examples and wide features "
    "it is too high (the debiased estimator is another number), so compare it only at equal n; features averaged over positions; "
    "tap=last: the last taps of both; tap=mean: mean over the taps paired from the deepest back",
    undefined="constant features",
    equation="CKA = ||Y'X||_F^2 / (||X'X||_F ||Y'Y||_F), X (n, p) and Y (n, q) centred by column",
    source="Kornblith et al. 2019, Similarity of Neural Network Representations Revisited, section 3 (linear kernel)",
    reads="decisions",
)
def cka(
    features: Mapping[str, np.ndarray], teacher_features: Mapping[str, np.ndarray], *, tap: Literal["last", "mean"] = "last"
) -> float:
    """1 where one set of features is the other up to rotation, scale and shift; the widths may differ.

    features, teacher_features: tap -> (n, p) and (n, q), the same examples in the same order. Raises Undefined where features do
    not vary over the examples.
    """
    return float(np.mean([_value(*pair) for pair in _pairs(features, teacher_features, tap)]))


def influence(
    features: Mapping[str, np.ndarray], teacher_features: Mapping[str, np.ndarray], *, tap: Literal["last", "mean"] = "last"
) -> np.ndarray:
    """The derivative with respect to the weight of each example, times n, (n,): mean 0.

    With C_xy = X'Y / n and f_xy = ||C_xy||^2, an example changes f_xy by 2 (x' C_xy y - f_xy). Draws through it stay centred on
    the value; drawn with copies of examples, CKA is biased upwards once more.
    """
    return np.asarray(np.mean([_influence(*pair) for pair in _pairs(features, teacher_features, tap)], axis=0))


def _pairs(
    features: Mapping[str, np.ndarray], teacher_features: Mapping[str, np.ndarray], tap: str
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Per pair of taps and example x' C_xy y, x' C_xx x and y' C_yy y, each (n,). Their means are the three squared norms."""
    ours, theirs = list(features.values()), list(teacher_features.values())
    count = 1 if tap == "last" else min(len(ours), len(theirs))
    for mine, other in zip(ours[-count:], theirs[-count:], strict=True):
        x, y = _centred(mine, "this model's"), _centred(other, "the teacher's")
        yield _cross(x, y), _cross(x, x), _cross(y, y)


def _centred(features: np.ndarray, whose: str) -> np.ndarray:
    """Columns of mean 0, as a whole of size 1: neither changes CKA."""
    wide = features.astype(np.float64)
    x = wide - wide.mean(axis=0)
    spread, size = np.square(x).sum(), np.square(wide).sum()
    if not spread > NOISE * size:
        raise Undefined(f"{whose} features are the same for all {len(x)} examples")
    return np.asarray(x / np.sqrt(spread))


def _cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x_i' (X'Y) y_i for every example, (n,); through the n x n kernels where those are smaller."""
    if len(x) * 2 < min(x.shape[1], y.shape[1]):
        return np.asarray(((x @ x.T) * (y @ y.T)).sum(axis=1))
    return np.asarray(((x @ (x.T @ y)) * y).sum(axis=1))


def _value(xy: np.ndarray, xx: np.ndarray, yy: np.ndarray) -> float:
    return min(1.0, float(xy.sum() / np.sqrt(xx.sum() * yy.sum())))  # 1 + 2e-16 by rounding


def _influence(xy: np.ndarray, xx: np.ndarray, yy: np.ndarray) -> np.ndarray:
    size, value = len(xy), _value(xy, xx, yy)
    of_both = 2 * xy / np.sqrt(xx.sum() * yy.sum())
    return np.asarray(size * (of_both - value * (xx / xx.sum() + yy / yy.sum())))
