"""Which column of a table of texts means what; shared by the sets whose columns the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdbench import Refusal, Samples
from kdbench.datasets._cells import labels, numbering, numbers, plain
from kdbench.datasets._sheet import Sheet
from kdbench.datasets._text import chosen, stacked


@dataclass(frozen=True, slots=True)
class Roles:
    """Columns by role; "" for none. classes: the labels in the order of their numbers, or none: sorted."""

    text: str
    pair: str
    label: str
    target: str
    answer: str
    groups: Sequence[str] = ()
    id: str = ""
    cluster: str = ""
    classes: Sequence[str] = ()
    positive: str = ""

    def labelled(self) -> bool:
        """Whether rows have a label: for a class, and for vectors of single texts, which are near if their labels are equal."""
        return self.answer == "class" or (self.answer == "vector" and not self.pair)

    def targeted(self) -> bool:
        """Whether rows have a target: a reference, or the similarity of a pair."""
        return self.answer == "text" or (self.answer == "vector" and bool(self.pair))

    def columns(self) -> list[str]:
        """All columns to read. Raises Refusal where the roles do not fit the answer."""
        for role, wanted in (("label", self.labelled()), ("target", self.targeted())):
            if wanted and not getattr(self, role):
                raise Refusal(f"texts: answer {self.answer!r} needs the key {role!r}: the column that holds it")
        if self.target and not self.targeted():
            raise Refusal(f"texts: answer {self.answer!r} has no target (allowed: 'text', or 'vector' with a pair)")
        if self.pair and self.answer == "next":
            raise Refusal("texts: answer 'next' takes one text, not a pair")
        said = [self.label] * self.labelled() + [self.target] * self.targeted()
        for name in (self.text, self.pair):
            if name in said:
                raise Refusal(f"texts: {name!r} is both a text and the {'label' if self.labelled() else 'target'}")
        return list(dict.fromkeys(name for name in (self.text, self.pair, *said, *self.groups, self.id, self.cluster) if name))

    def samples(self, sheet: Sheet, split: np.ndarray | None, licence: str, source: str) -> Samples:
        """The rows of a sheet with these roles. Raises Refusal with the row."""
        x = stacked(*(sheet.column(name, "text") for name in (self.text, self.pair) if name))
        notes = _empty(sheet, x, self)
        y, classes = self._labels(sheet)
        notes += numbering(classes) if classes and not self.classes else ()
        found = Samples(
            "text",
            {"text": x},
            y,
            plain(sheet, self.id) if self.id else np.array([str(i + 1) for i in range(sheet.rows)]),
            classes,
            licence,
            source,
            {name: _levels(plain(sheet, name)) for name in self.groups},
            split,
            plain(sheet, self.cluster) if self.cluster else None,
            positive=self.positive or None,
            notes=notes,
            answer=self.answer,
        )
        return replace(found, target=self._target(sheet)) if self.targeted() else found

    def _labels(self, sheet: Sheet) -> tuple[np.ndarray, tuple[str, ...]]:
        if not self.labelled():
            return np.full(sheet.rows, -1, np.int64), ()
        if self.classes:
            y, classes = chosen(sheet, self.label, self.classes), tuple(self.classes)
        else:
            y, classes = labels(sheet, self.label)
        if self.positive and self.positive not in classes:
            raise Refusal(f"{sheet.path}: positive: no label {self.positive!r} (allowed: {', '.join(map(repr, classes[:20]))})")
        return y, classes

    def _target(self, sheet: Sheet) -> np.ndarray:
        if self.answer == "text":
            return stacked(sheet.column(self.target, "target"))[:, 0]
        numbers(sheet, [self.target])  # refuses what is no finite number
        return np.array(sheet.column(self.target, "target")).astype(np.float64)


def _empty(sheet: Sheet, x: np.ndarray, roles: Roles) -> tuple[str, ...]:
    """A note on empty texts; in free text they are refused, for nothing can be said next."""
    empty = np.flatnonzero((x == "").any(axis=1))
    if not len(empty):
        return ()
    if roles.answer == "next":
        raise Refusal(f"{sheet.path}: row {empty[0] + 1}, column {roles.text!r}: an empty document; drop the row")
    return (f"{len(empty)} of {len(x)} rows have an empty text (the first is row {empty[0] + 1})",)


def _levels(column: np.ndarray) -> np.ndarray:
    """A group column in which white space alone is no value."""
    return np.where(np.char.strip(column) == "", "", column)
