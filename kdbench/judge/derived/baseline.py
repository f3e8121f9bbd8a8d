"""What a metric says of a model that has learned nothing but how frequent the classes, or the tokens, are."""

from __future__ import annotations

import numpy as np

from kdbench.judge.ask import Metric
from kdbench.judge.columns import sums, tidy
from kdbench.judge.readings import attempt
from kdbench.nouns import Predictions

MOST = 50_000
"""Labels that are asked about: of a larger set as many, evenly through the classes."""


def baseline(metric: Metric, label: np.ndarray, classes: tuple[str, ...], positive: int | None) -> float | None:
    """The metric of a constant guess: the class shares of the test labels (n,) as probabilities for every example.

    For accuracy the share of the largest class, for the area under a ROC curve 1/2, for balanced accuracy 1/K. None for metrics
    that read more than predictions, and where a constant guess has no number.
    """
    if metric.asks != {"predictions"} or metric.form not in ("mean", "set") or not classes or not len(label):
        return None
    if len(label) > MOST:
        label = np.sort(label)[np.linspace(0, len(label) - 1, MOST).astype(int)]
    known = label[label >= 0].astype(np.int64)
    share = np.bincount(known, minlength=len(classes)) / max(len(known), 1)
    n = len(label)
    logits = np.broadcast_to(np.log(np.maximum(share, np.finfo(np.float32).tiny)), (n, len(share)))
    pred = np.full(n, int(share.argmax()), dtype=np.int64)
    constant = Predictions(np.arange(n).astype(str), label, logits, pred, classes, positive, "probabilities")

    return _asked(metric, constant)


def baseline_of_tokens(metric: Metric, token: np.ndarray) -> float | None:
    """The metric of a language model that gives every token (m,) that came the share that it has among them, whatever stands
    before it. For the accuracy of the next token the share of the most frequent one. None as `baseline`.
    """
    if metric.asks != {"predictions"} or metric.form != "mean" or not len(token):
        return None
    count = np.unique(token, return_counts=True)[1].astype(np.float64)
    nats = -float(count @ np.log(count / count.sum()))
    said = {"tokens": count.sum(), "right": count.max(), "nll": nats, "entropy": nats}
    columns = {name: np.array([value]) for name, value in said.items()}
    nobody = np.full(1, -1)
    unigram = Predictions(np.array(["all"]), nobody, np.zeros((1, 0)), np.zeros(1, np.int64), (), None, "tokens", columns)
    return _asked(metric, unigram)


def _asked(metric: Metric, constant: Predictions) -> float | None:
    """What the metric says of these predictions, None where that is no number."""
    n = len(constant.ids)

    def ask() -> float:
        found = metric({"predictions": constant})
        return float(found) if metric.form == "set" else float(metric.finish(sums(tidy(found, n))[0] / n))

    value = attempt(ask, "")
    return value if isinstance(value, float) and np.isfinite(value) else None
