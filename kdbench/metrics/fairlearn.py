"""Any metric of fairlearn, by name, through its own MetricFrame."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Literal

import numpy as np
from fairlearn import metrics as published  # type: ignore[import-untyped]

from kdbench import NotApplicable, Predictions, Undefined, metric

BY_GROUP = frozenset(
    {
        "count", "false_negative_rate", "false_positive_rate", "mean_prediction", "selection_rate", "true_negative_rate",
        "true_positive_rate",
    }
)  # fmt: skip
"""Numbers that each group has; all others compare the groups."""
ANY_CLASSES = ("accuracy_score", "balanced_accuracy_score", "count", "zero_one_loss")
SCORED = ("log_loss", "roc_auc_score")
NUMERIC = ("mean_absolute_error", "mean_prediction", "mean_squared_error", "r2_score", "count")
POSITIVES = ("equal", "false_negative", "recall", "true_positive")
NEGATIVES = ("equalized", "false_positive", "true_negative")
"""How names begin of metrics that need examples of the positive class, and of the other, in each group."""


@metric(
    form="frame",
    better="none",
    unit="score",
    axis="bias",
    title="fairlearn",
    equation="what fairlearn.metrics defines under this name, by MetricFrame",
    source="fairlearn (Weerts et al. 2023)",
    convention="y_pred: decisions, 1 for the positive class (its probability for log_loss and roc_auc_score); class codes for "
    "accuracy_score, balanced_accuracy_score, zero_one_loss and count; numbers of a regression; differences and ratios between "
    "groups that are large enough and known; a rate of a group without the examples that it needs is undefined, where fairlearn "
    "gives 0; values without intervals",
    undefined="fairlearn gives no finite number here",
    reads="decisions",
)
def fairlearn(
    predictions: Predictions,
    group: np.ndarray,
    compared: np.ndarray,
    *,
    name: Literal[
        "accuracy_score_difference", "accuracy_score_group_min", "accuracy_score_ratio", "balanced_accuracy_score_group_min",
        "count", "demographic_parity_difference", "demographic_parity_ratio", "equal_opportunity_difference",
        "equal_opportunity_ratio", "equalized_odds_difference", "equalized_odds_ratio", "f1_score_group_min",
        "false_negative_rate", "false_negative_rate_difference", "false_negative_rate_ratio", "false_positive_rate",
        "false_positive_rate_difference", "false_positive_rate_ratio", "log_loss_group_max", "mean_absolute_error_group_max",
        "mean_prediction", "mean_squared_error_group_max", "precision_score_group_min", "r2_score_group_min",
        "recall_score_group_min", "roc_auc_score_group_min", "selection_rate", "selection_rate_difference",
        "selection_rate_ratio", "true_negative_rate", "true_negative_rate_difference", "true_negative_rate_ratio",
        "true_positive_rate", "true_positive_rate_difference", "true_positive_rate_ratio", "zero_one_loss_difference",
        "zero_one_loss_group_max", "zero_one_loss_ratio",
    ],
) -> Mapping[int, float] | float:  # fmt: skip
    """One number that compares the groups; or, for what each group has, level -> number, with all examples as level -1.

    group int (n,): the level of each example, 0, 1, ...; compared bool (levels,): those that are large and known enough to be
    compared. A number without a meaning is NaN. Raises Undefined; NotApplicable where such predictions have no such number.
    """
    label, pred = _arrays(predictions, name)
    if name in BY_GROUP:
        return _each(label, pred, group, name)
    rows = compared[group]
    if len(np.unique(group[rows])) < 2:
        raise Undefined("fewer than two groups: nothing to compare")
    return _number(label[rows], pred[rows], group[rows], name)


def _arrays(predictions: Predictions, name: str) -> tuple[np.ndarray, np.ndarray]:
    """y_true and y_pred, (n,) each."""
    if predictions.kind == "values":
        if not name.startswith(NUMERIC):
            raise NotApplicable(f"{name} is about decisions; these predictions are values")
        return predictions.label, predictions.logits[:, 0]
    if name.startswith(ANY_CLASSES):
        return predictions.label, predictions.pred
    if predictions.positive is None:
        raise NotApplicable("no class means a decision in favour")
    label = (predictions.label == predictions.positive).astype(np.int64)
    if not name.startswith(SCORED):
        return label, (predictions.pred == predictions.positive).astype(np.int64)
    if predictions.kind == "decisions":
        raise NotApplicable(f"{name} reads probabilities; these predictions hold only decisions")
    return label, predictions.probability[:, predictions.positive]


def _each(label: np.ndarray, pred: np.ndarray, group: np.ndarray, name: str) -> dict[int, float]:
    frame = published.MetricFrame(metrics=getattr(published, name), y_true=label, y_pred=pred, sensitive_features=group)
    found = {-1: float(frame.overall), **{int(level): float(value) for level, value in frame.by_group.items()}}
    return {level: np.nan if _lacks(label if level < 0 else label[group == level], name) else v for level, v in found.items()}


def _number(label: np.ndarray, pred: np.ndarray, group: np.ndarray, name: str) -> float:
    for level in np.unique(group):
        lacking = _lacks(label[group == level], name)
        if lacking:
            raise Undefined(f"a group (n={int((group == level).sum())}) has no {lacking} examples")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            return float(getattr(published, name)(label, pred, sensitive_features=group))
        except (UserWarning, ValueError) as error:  # scikit-learn says so where a number has no meaning, and then gives one
            raise Undefined(str(error).splitlines()[0]) from error


def _lacks(label: np.ndarray, name: str) -> str:
    """What a group would need for this number and has not; "" for nothing."""
    if name.startswith(POSITIVES) and not label.any():
        return "positive"
    return "negative" if name.startswith(NEGATIVES) and bool(label.all()) else ""
