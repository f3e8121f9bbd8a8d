"""The fitted temperature of the student beside the teacher's: whether over-confidence is passed on."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, fit_temperature, metric, temperature_draws, temperature_influence


@metric(
    form="set",
    better="none",
    unit="ratio",
    low=0.0,
    axis="calibration",
    title="Temperature, student / teacher",
    convention="both fitted on the validation split as in temperature; above 1 the student is the more overconfident one. "
    "Temperatures depend on the scale of the logits: only the ratio to 1 of each, not its size, compares across models",
    undefined="no temperature between 0.001 and 1000 is best for one of the two",
    equation="T*_S / T*_T",
    source="Guo et al. 2017 for T*; the ratio is a definition",
    reads="probabilities",
)
def temperature_ratio(
    validation: Predictions, teacher_validation: Predictions, weights: np.ndarray | None = None
) -> np.ndarray | float:
    """T* of the student / T* of the teacher. weights (draws, n) over the validation rows give (draws,)."""
    if weights is None:
        return float(fit_temperature(validation) / fit_temperature(teacher_validation))
    return np.asarray(temperature_draws(validation, weights) / temperature_draws(teacher_validation, weights))


def influence(validation: Predictions, teacher_validation: Predictions) -> np.ndarray:
    """What each validation example adds to the ratio, (n,), mean 0."""
    student, teacher = fit_temperature(validation), fit_temperature(teacher_validation)
    found = temperature_influence(validation) / student - temperature_influence(teacher_validation) / teacher
    return np.asarray(found * student / teacher)
