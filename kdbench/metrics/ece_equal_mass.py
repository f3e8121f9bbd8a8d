"""Expected calibration error over bins of equally many examples ("adaptive" ECE; Nguyen and O'Connor 2015)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from kdbench import Cells, Count, Predictions, metric

from ._equal_mass import Table, drawn, moved, table


@metric(
    form="set",
    better="lower",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="ECE, equal mass",
    convention="top label; sorted by confidence and cut as numpy's array_split does; confidences that are equal in single "
    "precision share the bin in which they begin. Called adaptive ECE by torch-uncertainty; not ace_nixon, not ece_unweighted",
    undefined="no examples",
    equation="sum_m |B_m| / n |acc(B_m) - conf(B_m)|, |B_m| = n / M",
    source="Nguyen and O'Connor 2015, Posterior calibration; torch-uncertainty AdaptiveCalibrationError; HELM ece_10_bin",
    reads="probabilities",
)
def ece_equal_mass(predictions: Predictions, weights: np.ndarray | None = None, *, bins: Count = 15) -> np.ndarray | float:
    """The sum over the bins of |right - confidence| / n. weights (draws, n) gives (draws,)."""
    if weights is None:
        return float(np.abs(_table(predictions, bins).signed).sum())
    return np.asarray(np.abs(drawn(predictions.confidence, predictions.correct, bins, weights)[1]).sum(axis=1))


def influence(predictions: Predictions, *, bins: Count = 15) -> np.ndarray:
    """What each example adds to the value, (n,), mean 0: through its bin, and through the edges that its weight moves."""
    of = _table(predictions, bins)
    sign = np.sign(of.signed)
    found = sign.take(of.code) * (predictions.correct - predictions.confidence) + moved(of, sign, np.zeros(bins))
    return np.asarray(found - found.mean())


def held(predictions: Predictions, *, bins: Count = 15) -> Iterator[Cells]:
    """The bins where they are, with right - confidence: for an interval that holds at 0 too."""
    yield Cells(_table(predictions, bins).code, bins, (predictions.correct - predictions.confidence,))


def size(of: np.ndarray) -> np.ndarray:
    """The number of signed sums (..., M)."""
    return np.asarray(np.abs(of).sum(axis=-1))


def curve(predictions: Predictions, *, bins: Count = 15) -> Mapping[str, str | np.ndarray]:
    """The reliability diagram of these bins: x mean confidence, y accuracy (NaN in an empty bin), share of examples."""
    of = _table(predictions, min(bins, 101))
    x, y = (np.divide(v, of.share, out=np.full(len(v), np.nan), where=of.share > 0) for v in (of.forecast, of.outcome))
    return {"name": "reliability_equal_mass", "x": x, "y": y, "share": of.share}


def _table(predictions: Predictions, bins: int) -> Table:
    return table(predictions.confidence, predictions.correct, bins)
