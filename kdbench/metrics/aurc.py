"""Area under the risk-coverage curve."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdbench import Predictions, metric

from ._selective import along, area_influence, areas, plateaus, tally


@metric(
    form="set",
    better="lower",
    low=0.0,
    high=1.0,
    axis="selective",
    title="AURC",
    equation="AURC = 1/n sum_{k=1..n} r_k, r_k = errors among the k most confident / k; equal confidences share their plateau: "
    "sum over it of (E0 + j e/m) / (N0 + j), j = 1..m, with m examples and e errors on it, N0 and E0 before it",
    source="Geifman, Uziel and El-Yaniv 2019 (Bias-reduced uncertainty estimation), empirical AURC",
    convention="mean of the selective risks r_1..r_n, confidence = largest probability; ties (within 1e-15): the "
    "mean over all orders of the tied examples, so the order of the file has no part in it; not the trapezoid of "
    "torch-uncertainty or fd-shifts, not x 1000",
    reads="probabilities",
)
def aurc(predictions: Predictions, weights: np.ndarray | None = None) -> np.ndarray | float:
    """The area, of one set or of all draws (draws, n) -> (draws,); the copies that a draw makes of one example are tied."""
    mass, errors = tally(plateaus(predictions), ~predictions.correct, weights)
    area = areas(mass, errors)
    return area if weights is not None else float(area[0])


def influence(predictions: Predictions) -> np.ndarray:
    """The derivative with respect to the weight of each example, times n, (n,)."""
    return area_influence(predictions)


def curve(predictions: Predictions) -> Mapping[str, str | np.ndarray]:
    """The risk-coverage curve: x coverage, y error rate among the most confident x; at most 100 points, none at coverage 0."""
    mass, errors = (part[0] for part in tally(plateaus(predictions), ~predictions.correct))
    x, sums = along(mass, errors)
    return {"name": "risk_coverage", "x": x, "y": sums / (x * mass.sum())}
