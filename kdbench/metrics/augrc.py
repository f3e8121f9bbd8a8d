"""Area under the generalized risk-coverage curve."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric

from ._selective import after, before, over, plateaus, tally


@metric(
    form="set",
    better="lower",
    low=0.0,
    high=0.5,
    axis="selective",
    title="AUGRC",
    equation="AUGRC = integral over coverage of G, G(k/n) = errors among the k most confident / n, in straight lines from G(0) = "
    "0; it is (1 - AUROC_f) acc (1 - acc) + (1 - acc)^2 / 2, AUROC_f = P(a right answer is more confident than a wrong one)",
    source="Traub et al. 2024 (Overcoming common flaws in the evaluation of selective classification systems)",
    convention="joint risk: errors that are accepted over all n, not over the accepted; trapezoids from coverage 0, as in "
    "fd-shifts (the mean of G(k/n) would be larger by (1 - acc) / 2n); ties by plateau; not times 1000",
    reads="probabilities",
)
def augrc(predictions: Predictions, weights: np.ndarray | None = None) -> np.ndarray | float:
    """The area, of one set or of all draws (draws, n) -> (draws,): the mean chance that an accepted answer is wrong."""
    mass, errors = tally(plateaus(predictions), ~predictions.correct, weights)
    area = over((mass * (before(errors) + errors / 2)).sum(axis=-1), mass.sum(axis=-1) ** 2, np.nan)
    return area if weights is not None else float(area[0])


def influence(predictions: Predictions) -> np.ndarray:
    """The derivative with respect to the weight of each example, times n, (n,)."""
    on = plateaus(predictions)
    mass, errors = (part[0] for part in tally(on, ~predictions.correct))
    own = on.spread(before(errors) + errors / 2)
    found = own + np.where(predictions.correct, 0.0, on.spread(mass / 2 + after(mass)))
    return np.asarray((found - found.mean()) / len(found))
