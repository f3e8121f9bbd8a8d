"""A number of lm-eval as lm-eval computes it, of those where lower is better."""

from __future__ import annotations

import numpy as np

from kdbench import NotApplicable, Predictions, metric

from . import _lm_eval
from ._lm_eval import draws, stored, unknown, value

BETTER = "lower"


@metric(
    form="set",
    better="lower",
    unit="score",
    axis="quality",
    title="lm-eval, lower is better",
    equation="lm-eval's aggregation of its own values of each document: their mean, exp of a mean, a ratio of sums, ...",
    source="lm-eval 0.4.13, lm_eval/api/metrics.py and the configuration of the task",
    reads="harness",
    convention="lm-eval's name for the number (perplexity, bits_per_byte, brier_score, pct_stereotype, ...) and its "
    "definition: acc by the sum of log-probabilities, acc_norm by that sum over characters; what lm-eval calls better the other "
    "way is lm_eval; a task's own function of all documents has an interval by the jackknife, and no value of groups",
)
def lm_eval_lower(
    predictions: Predictions, weights: np.ndarray | None = None, *, metric: str = "perplexity", filter: str = ""
) -> np.ndarray | float:
    """lm-eval's value to the last digit; weights (draws, n) gives (draws,).

    metric: lm-eval's name of it. filter: which of the task's filters, where it has several ("strict-match").
    """
    of = stored(predictions, metric, filter, BETTER)
    return value(of) if weights is None else draws(of, weights)


def influence(predictions: Predictions, *, metric: str = "perplexity", filter: str = "") -> np.ndarray | None:
    """How much each document moves the number, (n,); None where that is not simple."""
    return _lm_eval.influence(stored(predictions, metric, filter, BETTER))


def note(predictions: Predictions, *, metric: str = "perplexity", filter: str = "") -> str:
    """How many scored tokens were unknown to the tokenizer; "" for none, and where there is no number."""
    try:
        stored(predictions, metric, filter, BETTER)
    except NotApplicable:
        return ""
    return unknown(predictions)
