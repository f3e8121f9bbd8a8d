"""Stored evidence as records: which pieces there are, what they hold, and which examples they are about."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from kdbench.nouns import Json, Predictions, group_file
from kdbench.stages import texts
from kdbench.store import Entry

MISSING = "(missing)"
"""The name of the group of those whose group is not known."""
CLASS = "class"
"""The group column that every task has: the label."""
COLUMN = "column."
"""What the names of further columns of predictions begin with."""
HELD = 700_000_000
"""Bytes of decoded evidence that a process keeps for its next judge job, which is about the same."""


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
    scenario: str = ""

    @property
    def foreign(self) -> bool:
        """Whether these are predictions on a companion set from outside the distribution."""
        return self.shift.startswith("ood:")


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """The test examples of a task. ids (n,), label (n,); groups: column -> its levels over all splits, and the level of each
    example (n,); cluster (n,): code of the cluster of each example, None where rows are independent; left: questions left out,
    because they have no single right answer.
    """

    ids: np.ndarray
    label: np.ndarray
    groups: Mapping[str, tuple[tuple[str, ...], np.ndarray]]
    cluster: np.ndarray | None
    classes: tuple[str, ...]
    positive: int | None
    left: int = 0


def pieces(layout: Sequence[Json]) -> tuple[Piece, ...]:
    """The layout of a judge job in an order of its own, the teacher first: numbers do not depend on the order of a plan."""
    rows: Any = layout
    return tuple(sorted((Piece(*row) for row in rows), key=lambda p: (p.contender != "teacher", *astuple(p)[1:])))


def examples(data: Entry, columns: Sequence[str]) -> Examples:
    """The test rows of a samples entry, as `_examples`; the process keeps those read last."""
    place = str(data.path), tuple(columns)
    if place not in _KNOWN:
        while len(_KNOWN) >= 4:
            _KNOWN.popitem(last=False)
        _KNOWN[place] = _examples(data, columns)
    return _KNOWN[place]


def _examples(data: Entry, columns: Sequence[str]) -> Examples:
    """The test rows of a samples entry, with these group columns: one that the data have, the label ("class"), or an
    intersection "a*b". A level that no test row has is listed all the same.
    """
    meta = data.json("meta.json")
    test = np.asarray(data.array("split.npy")) == 2
    label = np.asarray(data.array("y.npy"))[test]
    classes = tuple(str(name) for name in meta["classes"])
    single = dict.fromkeys(part for column in columns for part in column.split("*"))
    known = {column: (classes, label) if column == CLASS else _levels(data, column, test) for column in single}
    cluster = None
    if meta.get("clustered"):
        cluster = np.unique(np.asarray(data.array("cluster.npy"))[test], return_inverse=True)[1]
    groups = {column: _crossed([known[part] for part in column.split("*")]) for column in columns}
    return Examples(np.asarray(data.array("ids.npy"))[test], label, groups, cluster, classes, meta.get("positive"))


def _levels(data: Entry, column: str, test: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    text = np.asarray(data.array(group_file(column)))
    text = np.where(np.char.strip(text) == "", MISSING, text)
    levels, codes = np.unique(text, return_inverse=True)
    return tuple(map(str, levels)), codes[test].astype(np.int32)


def _crossed(parts: Sequence[tuple[tuple[str, ...], np.ndarray]]) -> tuple[tuple[str, ...], np.ndarray]:
    """The groups that differ in one of several columns; a group is not known where one of its parts is not."""
    levels, codes = parts[0]
    for more, other in parts[1:]:
        levels = tuple(MISSING if MISSING in (a, b) else f"{a} & {b}" for a in levels for b in more)
        codes = codes * len(more) + other
    if len(parts) == 1:
        return levels, codes
    names, place = np.unique(np.array(levels, dtype=str), return_inverse=True)
    return tuple(map(str, names)), place[codes]


_KNOWN: OrderedDict[tuple[str, tuple[str, ...]], Examples] = OrderedDict()
_HELD: OrderedDict[str, Predictions] = OrderedDict()


def predictions(entry: Entry, about: Examples) -> Predictions:
    """A predictions entry. The process keeps those read last: its next judge job is about the same evidence."""
    place = str(entry.path)
    if place in _HELD:
        _HELD.move_to_end(place)
        return _HELD[place]
    held = entry.arrays("predictions.npz")
    kind = str(entry.json("predictions.json").get("kind", "logits"))
    pred = held["logits"][:, 0] if kind == "values" else held["pred"].astype(np.int64)
    ids = about.ids if np.array_equal(held["ids"], about.ids) else held["ids"]  # held once, and told apart at a glance
    label = about.label if ids is about.ids and np.array_equal(held["label"], about.label) else held["label"]
    columns = {name.removeprefix(COLUMN): value for name, value in held.items() if name.startswith(COLUMN)}
    for name in entry.names():
        if name.startswith(COLUMN) and name.endswith(texts.ENDING):
            columns[name.removeprefix(COLUMN).removesuffix(texts.ENDING)] = texts.read(entry, name.removesuffix(texts.ENDING))
    of = Predictions(ids, label, held["logits"], pred, about.classes, about.positive, kind, columns)
    if "probability" in held:  # as given: the exponential of a logarithm moves round numbers over the edges of bins
        of.__dict__["probability"] = held["probability"]
    _HELD[place] = of
    while len(_HELD) > 1 and sum(_bytes(p) for p in _HELD.values()) > HELD:
        _HELD.popitem(last=False)
    return of


def _bytes(of: Predictions) -> int:
    return sum(held.nbytes for held in vars(of).values() if isinstance(held, np.ndarray))


def measured(entry: Entry, kind: str) -> Mapping[str, Any]:
    """Evidence that is not predictions, as one mapping; of latency the arrays of seconds beside the facts."""
    if kind == "latency":
        return {**entry.json("latency.json"), **entry.arrays("latency.npz")}
    return dict(entry.json({"cost": "record.json"}.get(kind, f"{kind}.json")))


def rows_of(ids: np.ndarray, among: np.ndarray) -> np.ndarray | None:
    """Where each id stands in `among`, or None if one of them is not there."""
    if ids is among or np.array_equal(ids, among):
        return np.arange(len(ids))
    order = np.argsort(among, kind="stable")
    place = np.minimum(np.searchsorted(among[order], ids), len(among) - 1)
    found = order[place]
    return found if np.array_equal(among[found], ids) else None
