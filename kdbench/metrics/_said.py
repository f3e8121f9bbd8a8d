"""What was said of the tokens of each example, and ratios of its sums. Shared by the metrics of language models."""

from __future__ import annotations

import numpy as np

from kdbench import NotApplicable, Predictions

_WHY = {
    "bytes": "the bytes of the texts are not known",
    "kl": "no teacher was asked about the same tokens: this is the teacher, or its teacher reads with another tokenizer",
}
LM_EVAL = "lm_eval."
"""What the names of lm-eval's own columns begin with."""
ALONE = "no teacher was asked beside it here: lm-eval asks each model by itself"
_WHY |= dict.fromkeys(("reverse_kl", "agree", "teacher_nll"), _WHY["kl"])


def columns(predictions: Predictions, *names: str) -> np.ndarray:
    """Columns of sums over the tokens of each example, float64 (n, k, ...). Raises NotApplicable for one that is not there."""
    for name in names:
        if name not in predictions.columns:
            why = _WHY.get(name, f"these predictions have no column {name!r}")
            alone = why == _WHY["kl"] and any(other.startswith(LM_EVAL) for other in predictions.columns)
            raise NotApplicable(ALONE if alone else why)
    found = [np.asarray(predictions.columns[name], dtype=np.float64) for name in names]
    return np.stack(found, axis=1)


def ratio(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the first over the second, which is that of their sums; NaN where the second is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(means[..., 1] > 0, means[..., 0] / means[..., 1], np.nan))
