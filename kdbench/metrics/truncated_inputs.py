"""Share of examples of which a model saw only the beginning, because they have more tokens than a row may have."""

from __future__ import annotations

import numpy as np

from kdbench import NotApplicable, Predictions, metric


@metric(
    better="none",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Truncated inputs",
    equation="(1/n) sum_i 1[tokens of i > length]",
    source="kdbench; the silent cut of long inputs in lm-evaluation-harness issues 3115 and 3421",
    reads="inputs",
    convention="length is the suite's `data.length`, special tokens counted; of a pair, whether either text was cut",
)
def truncated_inputs(predictions: Predictions) -> np.ndarray:
    """Whether something of each example was cut off, (n,) of 0 and 1."""
    if "truncated" not in predictions.columns:
        raise NotApplicable("the inputs are not texts, or they were cut before kdbench saw them")
    return np.asarray(predictions.columns["truncated"], np.float64)
