"""Warnings about predictions that look wrong rather than bad: always one class, or right more often under other class names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

from kdbench.judge.rows import OVER_SEEDS
from kdbench.store import Damaged, Missing, Store


def suspicions(scores: pd.DataFrame, tasks: Mapping[str, Any], store: Store) -> Iterator[str]:
    """Sentences about contenders whose accuracy on the clean test split is at or below that of always naming one class.

    Only their predictions are opened, each once; a contender is named once for a task and target. tasks: facts of the data.
    """
    place = (scores["metric"] == "accuracy") & (scores["slice"] == "") & (scores["shift"] == "") & scores["value"].notna()
    part = scores[place & (scores["seed"] != OVER_SEEDS) & (scores["evidence"] != "")]
    told: set[tuple[str, str, str]] = set()
    most: dict[str, float] = {}
    for row in part.sort_values("value", kind="stable").to_dict("records"):
        task, value = str(row["task"]), float(row["value"])
        seat = (task, str(row["contender"]), str(row["target"]))
        classes = [str(name) for name in tasks.get(task, {}).get("classes", ())]
        choices = tasks.get(task, {}).get("kind") == "questions"  # of which the first has no meaning that could be mistaken
        suspect = len(classes) > 1 and value <= most.get(task, 1.0) and not choices
        held = _held(store, str(row["evidence"])) if suspect and seat not in told else None
        if held is None:
            continue
        label, pred = held
        label, pred = label[label >= 0], pred[label >= 0]
        most[task] = float(np.bincount(label, minlength=len(classes)).max()) / max(len(label), 1)
        said = _said(label, pred, classes) if value <= most[task] else ""
        if said:
            told.add(seat)
            yield f"{task} on {seat[2]}: {seat[1]}, seed {row['seed']}: {said}"


def _held(store: Store, key: str) -> tuple[np.ndarray, np.ndarray] | None:
    try:
        held = store.open(key).arrays("predictions.npz")
    except (Missing, Damaged, FileNotFoundError, KeyError):
        return None
    label, pred = held.get("label"), held.get("pred")
    if label is None or pred is None or not np.issubdtype(label.dtype, np.integer) or len(label) != len(pred):
        return None
    return label.astype(np.int64), pred.astype(np.int64)


def _said(label: np.ndarray, pred: np.ndarray, classes: list[str]) -> str:
    if not len(label):
        return ""
    if (pred == pred[0]).all():
        return f"constant predictions: every example is called {classes[pred[0]]!r}"
    accuracy, chance = float((label == pred).mean()), 1 / len(classes)
    if accuracy > chance:
        return ""
    best = permuted(label, pred, len(classes))
    said = f"accuracy {accuracy:.3f} is at or below chance ({chance:.3f})"
    return f"{said}: labels permuted? The best permutation of the classes gives {best:.3f}"


def permuted(label: np.ndarray, pred: np.ndarray, classes: int) -> float:
    """The accuracy under the best renaming of the predicted classes: an assignment on the confusion matrix (Kuhn 1955)."""
    table = np.bincount(label * classes + pred, minlength=classes * classes).reshape(classes, classes)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / len(label))
