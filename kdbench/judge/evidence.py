"""Stored evidence as records: which pieces there are, what they hold, and which examples they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np

from kdbench.nouns import Json, Predictions, group_file
from kdbench.store import Entry

MISSING = "(missing)"
"""The name of the group of those whose group is not known."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One row of a judge job's layout: where its evidence lies and what it is about."""

    role: str
    contender: str
    seed: int
    target: str
    evidence: str
    split: str
    shift: str
    severity: int

    @property
    def foreign(self) -> bool:
        """Whether these are predictions on a companion set from outside the distribution."""
        return self.shift.startswith("ood:")


@dataclass(frozen=True, slots=True)
class Examples:
    """The test examples of a task. ids (n,); groups: column -> its levels over all splits, and the level of each example (n,);
    cluster (n,): code of the cluster of each example, None where rows are independent.
    """

    ids: np.ndarray
    groups: Mapping[str, tuple[tuple[str, ...], np.ndarray]]
    cluster: np.ndarray | None
    classes: tuple[str, ...]
    positive: int | None


def pieces(layout: Sequence[Json]) -> tuple[Piece, ...]:
    """The layout of a judge job in an order of its own, the teacher first: numbers do not depend on the order of a plan."""
    rows: Any = layout
    return tuple(sorted((Piece(*row) for row in rows), key=lambda p: (p.contender != "teacher", *astuple(p)[1:])))


def examples(data: Entry, columns: Sequence[str]) -> Examples:
    """The test rows of a samples entry, with these group columns. A group level that no test row has is listed all the same."""
    meta = data.json("meta.json")
    test = np.asarray(data.array("split.npy")) == 2
    groups = {}
    for column in columns:
        text = np.asarray(data.array(group_file(column)))
        text = np.where(np.char.strip(text) == "", MISSING, text)
        levels, codes = np.unique(text, return_inverse=True)
        groups[column] = (tuple(map(str, levels)), codes[test])
    cluster = None
    if meta.get("clustered"):
        cluster = np.unique(np.asarray(data.array("cluster.npy"))[test], return_inverse=True)[1]
    positive = meta.get("positive")
    return Examples(np.asarray(data.array("ids.npy"))[test], groups, cluster, tuple(meta["classes"]), positive)


def predictions(entry: Entry, about: Examples) -> Predictions:
    """A predictions entry; probabilities and confidence are made again from the logits, in float64."""
    held = entry.arrays("predictions.npz")
    logits, label = held["logits"], held["label"]
    z = logits.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)
    pred = held["pred"].astype(np.int64)
    confidence = z[np.arange(len(z)), pred]
    return Predictions(held["ids"], label, logits, z, pred, confidence, pred == label, about.classes, about.positive)


def take(of: Predictions, rows: np.ndarray) -> Predictions:
    """Some rows of predictions, in that order."""
    held = ("ids", "label", "logits", "probability", "pred", "confidence", "correct")
    return replace(of, **{name: getattr(of, name)[rows] for name in held})


def measured(entry: Entry, kind: str) -> Mapping[str, Any]:
    """Evidence that is not predictions, as one mapping; of latency the arrays of seconds beside the facts."""
    if kind == "latency":
        return {**entry.json("latency.json"), **entry.arrays("latency.npz")}
    return dict(entry.json({"cost": "record.json"}.get(kind, f"{kind}.json")))


def rows_of(ids: np.ndarray, among: np.ndarray) -> np.ndarray | None:
    """Where each id stands in `among`, or None if one of them is not there."""
    if np.array_equal(ids, among):
        return np.arange(len(ids))
    order = np.argsort(among, kind="stable")
    place = np.minimum(np.searchsorted(among[order], ids), len(among) - 1)
    found = order[place]
    return found if np.array_equal(among[found], ids) else None
