"""A teacher of another task answers its own rows: whether they are the student's examples, and the test was kept from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdbench.nouns import Refusal
from kdbench.stages import OTHER, SAW
from kdbench.stages.samples import SPLITS
from kdbench.store import Entry

NOTE = "taught by answers to another task's rows, joined by id"
KEPT = "the teacher learned from none of the held-out rows here"
NOT_KNOWN = "what the teacher learned from before it was loaded is not known"
IDS_ALONE = "nothing but their ids says that the rows are the same examples: they have no labels to compare"
GIVEN = "more.target.npy"
"""Where the given similarity of a pair lies, in an entry that has it."""


@dataclass(frozen=True, slots=True)
class _Known:
    """ids, label (its name or, of a pair, the given similarity; "" where there is none) and split (a code) of all rows, (n,)."""

    ids: np.ndarray
    label: np.ndarray
    split: np.ndarray

    def part(self, *names: str) -> np.ndarray:
        """The ids of these splits."""
        return np.asarray(self.ids[np.isin(self.split, [SPLITS.index(name) for name in names])])


def check(inputs: Mapping[str, Entry], all_known: bool) -> tuple[str, ...]:
    """Notes for the record where the teacher is of another task, else nothing; all_known: whether all that it learned from is
    known, because nothing that led to it was made elsewhere. Raises Refusal where it learned from rows that
    are held out here, lacks training examples, or where rows of one id have two labels, so that they are not the same example.

    A teacher learned from the training rows of all that it was made of. Their validation rows may have chosen its checkpoint, so
    none of them may be a test row here.
    """
    if OTHER not in inputs:
        return ()
    mine, theirs = _known(inputs["data"]), _known(inputs[OTHER])
    _not_seen(mine, [_known(entry) for role, entry in sorted(inputs.items()) if role.startswith(SAW)])
    wanted = mine.part("train")
    lost = wanted[~np.isin(wanted, theirs.part("train"))]
    if len(lost):
        said = f"of the teacher's task lack {len(lost)} of {len(wanted)} training examples here (first: {lost[0]})"
        raise Refusal(f"fit: the training rows {said}; only examples that are in both, by id, can be taught")
    compared = _same_examples(mine, theirs, relabelled=bool(inputs["data"].json("meta.json").get("relabelled")))
    return (NOTE, KEPT if all_known else NOT_KNOWN, *([] if compared else [IDS_ALONE]))


def by_places(inputs: Mapping[str, Entry], recorded: Sequence[np.ndarray], tokens: bool) -> None:
    """Raises Refusal for recorded values of the places of a text, (n, length, d), where the teacher read another task's rows."""
    if OTHER in inputs and tokens and any(value.ndim == 3 for value in recorded):
        raise Refusal(
            "fit: features of tokens cannot come from another task: place 7 of its text is not place 7 of this one (allowed: "
            "terms on answers, and on features of a whole example)"
        )


def _not_seen(mine: _Known, seen: list[_Known]) -> None:
    learned = np.concatenate([one.part("train") for one in seen] or [mine.ids[:0]])
    chosen = np.concatenate([learned, *(one.part("validation") for one in seen)])
    for split, known in (("test", chosen), ("validation", learned)):
        held = mine.part(split)
        found = held[np.isin(held, known)]
        if len(found):
            how = "trained on" if np.isin(found, learned).all() else "trained or chosen on"
            said = f"{how} {len(found)} of the {len(held)} {split} rows of this task (first: {found[0]})"
            raise Refusal(f"fit: leak: the teacher, of another task, was {said}; both tasks must hold out the same examples")


def _same_examples(mine: _Known, theirs: _Known, relabelled: bool) -> int:
    """Compares the labels of all rows that are in both, by id; of relabelled training rows these are new. How many there were."""
    held = np.isin(mine.ids, mine.part("validation", "test")) if relabelled else np.ones(len(mine.ids), bool)
    order = np.argsort(theirs.ids, kind="stable")
    place = np.clip(np.searchsorted(theirs.ids[order], mine.ids), 0, max(len(order) - 1, 0))
    there = order[place]
    both = held & (theirs.ids[there] == mine.ids) & (mine.label != "") & (theirs.label[there] != "")
    wrong = np.flatnonzero(both & (theirs.label[there] != mine.label))
    if len(wrong):
        at = wrong[0]
        said = f"{mine.ids[at]}: {str(mine.label[at])!r} here, {str(theirs.label[there[at]])!r} there"
        count = f"{len(wrong)} of {int(both.sum())} rows that share an id have another label"
        raise Refusal(f"fit: {count} in the teacher's task (first: {said}); equal ids must mean equal examples")
    return int(both.sum())


def _known(entry: Entry) -> _Known:
    meta: Mapping[str, Any] = entry.json("meta.json")
    y = np.asarray(entry.array("y.npy"))
    names = np.array([*map(str, meta["classes"]), ""])
    label = names[np.where(y >= 0, y, len(names) - 1)] if y.ndim == 1 else np.full(len(y), "")
    if not (label != "").any() and GIVEN in entry.names():
        label = np.asarray(entry.array(GIVEN)).astype(np.str_)
    return _Known(np.asarray(entry.array("ids.npy")), label, np.asarray(entry.array("split.npy")))
