"""Metrics that compare answers with labels, and the examples that they can be asked about."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from kdbench.judge.ask import Metric
from kdbench.judge.columns import dense, tidy
from kdbench.judge.evidence import Examples
from kdbench.nouns import Predictions
from kdbench.nouns.predictions import KINDS

ABOUT_LABELS = frozenset({"quality", "calibration", "selective"})
"""Axes whose metrics of classes compare answers with labels."""


def about_labels(metric: Metric) -> bool:
    """Whether a number of classes is about being right. Of metrics of fidelity it is tried out: those that change with labels."""
    if str(metric.facts.get("reads") or "logits") not in KINDS[0]:
        return False
    axis = metric.facts.get("axis")
    return axis in ABOUT_LABELS or (axis == "fidelity" and metric.form == "mean" and _moved(metric))


def _moved(metric: Metric) -> bool:
    """Student and teacher decide all that two can about two classes, with either label."""
    student, teacher = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    found = []
    for right in (0, 1):
        label = np.full(4, right)
        held = {name: _made(pred, label) for name, pred in (("predictions", student), ("teacher", teacher))}
        try:
            found.append(dense(tidy(metric(held), 4)))
        except Exception:  # it asks for more than decisions, and says nothing about labels here
            return False
    return not np.array_equal(found[0], found[1])


def _made(pred: np.ndarray, label: np.ndarray) -> Predictions:
    logits = np.stack([1.0 - pred, pred], axis=1)
    return Predictions(np.arange(len(pred)).astype(str), label, logits, pred, ("0", "1"), None)


@lru_cache(maxsize=4)
def answerable(about: Examples) -> Examples:
    """Those with a single right answer: one that has several, or none, would count as wrong. All of them where none has one."""
    known = about.label >= 0
    if known.all() or not known.any():
        return about
    cluster = None if about.cluster is None else np.unique(about.cluster[known], return_inverse=True)[1]
    groups = {column: (levels, code[known]) for column, (levels, code) in about.groups.items()}
    left = int((~known).sum())
    return replace(about, ids=about.ids[known], label=about.label[known], groups=groups, cluster=cluster, left=left)
