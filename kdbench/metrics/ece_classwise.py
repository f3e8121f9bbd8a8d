"""Calibration error of every class, averaged over the classes (Kull et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdbench import Cells, Count, Predictions, metric

from ._per_class import Parts, codes, influence_over_classes, over_classes


@metric(
    form="set",
    better="lower",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="ECE, class-wise",
    convention="every class against the rest, averaged over the K classes (some tools sum, and give K times as much); "
    "equal-width right-closed bins. Nixon calls it SCE. With many classes most probabilities are near 0, and so is this number",
    undefined="no examples",
    equation="1/K sum_k sum_m |B_mk| / n |ybar_k(B_mk) - pbar_k(B_mk)|",
    source="Kull et al. 2019, Beyond temperature scaling, section 2; Nixon et al. 2019 (SCE)",
    reads="probabilities",
)
def ece_classwise(predictions: Predictions, weights: np.ndarray | None = None, *, bins: Count = 15) -> np.ndarray | float:
    """The mean over the classes of sum_m |sum of outcomes - sum of probabilities| / n. weights (draws, n) gives (draws,)."""
    found = over_classes(predictions, bins, weights, _number) / predictions.logits.shape[1]
    return found if weights is not None else float(found)


def influence(predictions: Predictions, *, bins: Count = 15) -> np.ndarray:
    """What each example adds to the value, (n,), mean 0."""
    return np.asarray(influence_over_classes(predictions, bins, _slope) / predictions.logits.shape[1])


def held(predictions: Predictions, *, bins: Count = 15) -> Iterator[Cells]:
    """The bins of each class, with (outcome - p) / K: for an interval that holds at 0 too."""
    classes = predictions.logits.shape[1]
    for k, code in enumerate(codes(predictions, bins)):
        p = predictions.probability[:, k]
        yield Cells(code.astype(np.int64), bins, (((predictions.label == k) - p) / classes,))


def size(of: np.ndarray) -> np.ndarray:
    """The number of the signed sums of all bins, (..., K M)."""
    return np.asarray(np.abs(of).sum(axis=-1))


def _number(share: np.ndarray, forecast: np.ndarray, outcome: np.ndarray, _beside: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(outcome - forecast).sum(axis=-1))


def _slope(share: np.ndarray, forecast: np.ndarray, outcome: np.ndarray, _beside: np.ndarray) -> Parts:
    sign, zero = np.sign(outcome - forecast), np.zeros(share.shape)
    return zero, -sign, sign, zero
