"""The temperature that makes the probabilities fit best on the validation split (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, fit_temperature, metric, temperature_draws, temperature_influence


@metric(
    form="set",
    better="none",
    unit="ratio",
    low=0.0,
    axis="calibration",
    title="Temperature",
    convention="divides the logits; fitted on the validation split by NLL, never on test; above 1 the model was overconfident; "
    "searched between 0.001 and 1000. Not the temperature of distillation",
    undefined="no temperature between 0.001 and 1000 is best",
    equation="T* = argmin_{T > 0} 1/n sum_i -log softmax(z_i / T)_{y_i}",
    source="Guo et al. 2017, On calibration of modern neural networks, section 4.2",
    reads="probabilities",
)
def temperature(validation: Predictions, weights: np.ndarray | None = None) -> np.ndarray | float:
    """T*. weights (draws, n) over the validation rows give (draws,)."""
    return float(fit_temperature(validation)) if weights is None else np.asarray(temperature_draws(validation, weights))


def influence(validation: Predictions) -> np.ndarray:
    """What each validation example adds to T*, (n,), mean 0."""
    return np.asarray(temperature_influence(validation))
