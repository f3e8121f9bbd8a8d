"""Several files about the same examples, joined by id and by the names of the classes, never by position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from kdbench.nouns import Refusal
from kdbench.predictions import groups
from kdbench.predictions.answers import logarithms, normalised
from kdbench.predictions.sets import Where
from kdbench.predictions.table import Levels, Table
from kdbench.stages.checks import NO_ROWS
from kdbench.tables.raw import MOST_NUMBERS, refuse, short


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one contender says of one set, rows in the order of the first file that has the set.

    ids text (n,), label (n,) int64, -1 for none, or float64; logits (n, K): logits as given, logarithms of probabilities in
    float64, 1 for the decision and 0 elsewhere, or values (n, 1); pred (n,): the decision, or the value; probability (n, K)
    float64 where the file has that, for the exponential of a logarithm is not always the number that it was.
    """

    contender: str
    where: Where
    kind: str
    ids: np.ndarray
    label: np.ndarray
    logits: np.ndarray
    pred: np.ndarray
    probability: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Examples:
    """The examples of a set: as the first file has them."""

    table: Table
    ids: Any
    names: np.ndarray
    label: np.ndarray


class Joined:
    """Prediction files as one question: whose answers about which examples. Raises Refusal where they do not fit together.

    classes: names, in the order of the first file that has outputs (() for a regression); positive: its place, or None.
    """

    def __init__(self, tables: Mapping[str, Table], positive: str = "") -> None:
        self._tables = tables
        self.regression = _of_one_kind([*tables.values()])
        self.classes: tuple[str, ...] = () if self.regression else _classes([*tables.values()])
        self.positive = self._positive(positive)
        self._places = {name: np.array([self.classes.index(c) for c in t.said.classes], int) for name, t in tables.items()}
        self._sets: dict[tuple[str, str], _Examples] = {}
        self._rows = {(name, where): self._matched(name, where) for name, t in tables.items() for where in t.sets}
        test = self._sets["test", ""]
        self.ids, self.label = test.names, test.label
        self.groups = {column: self._column(column) for column in dict.fromkeys(c for t in tables.values() for c in t.groups)}
        self.cluster = self._column("") if any(t.cluster for t in tables.values()) else None
        if self.cluster is not None and (self.cluster == "").any():
            raise refuse(
                test.table.path, f"column 'cluster': {int((self.cluster == '').sum())} test rows have none; every row needs one"
            )

    def answers(self) -> Iterator[Answers]:
        """The answers of every contender on every set, made one at a time."""
        for (name, where), rows in self._rows.items():
            table, examples = self._tables[name], self._sets[where.examples]
            label = examples.label if not self.regression or not where.foreign else np.zeros(len(rows))
            outputs, pred = self._outputs(name, table, rows)
            probability = normalised(outputs) if table.kind == "probabilities" else None
            logits = outputs if probability is None else logarithms(probability)
            yield Answers(name, where, table.kind, examples.names, label, logits, pred, probability)

    def count(self, split: str) -> int:
        """How many examples a split has."""
        return len(self._sets[split, ""].ids) if (split, "") in self._sets else 0

    def notes(self) -> list[str]:
        """What a reader of the results must know about the files; raises Refusal for columns that make no groups."""
        found = [f"{t.path.name}: {t.said.note}" for t in self._tables.values() if t.said.note]
        for column, text in self.groups.items():
            levels, counts = np.unique(np.char.strip(text), return_counts=True)
            missing = int(counts[levels == ""].sum())
            found += groups.check(column, [str(v) for v in np.unique(text) if v.strip()], missing, len(text))
        absent = np.flatnonzero(np.bincount(self.label, minlength=len(self.classes)) == 0) if self.classes else ()
        found += [f"no test row has the class {self.classes[i][:60]!r}: {NO_ROWS}" for i in absent[:20]]
        other = self._sets.get(("validation", ""))
        both = 0 if other is None else int(pc.sum(pc.is_in(other.ids, value_set=self._sets["test", ""].ids)).as_py())
        if both:
            found.append(
                f"{both} ids are in validation and in test: if they are the same examples, what is fitted there has seen the test"
            )
        return found

    def _positive(self, asked: str) -> int | None:
        said = {asked} if asked else {t.positive for t in self._tables.values() if t.positive}
        if len(said) > 1:
            raise Refusal(
                f"the files name different positive classes ({', '.join(map(short, sorted(said)))}); say --positive NAME"
            )
        if not said:
            return None
        name = next(iter(said))
        if name not in self.classes:
            raise Refusal(
                f"positive class {short(name)}: no such class (allowed: {', '.join(map(short, self.classes[:12])) or 'none'})"
            )
        return self.classes.index(name)

    def _matched(self, name: str, where: Where) -> np.ndarray:
        """The rows of a set in the order of its examples. The first file that has the set says which they are."""
        table = self._tables[name]
        rows = table.sets[where]
        ids = table.ids if len(rows) == len(table.ids) else table.ids.take(pa.array(rows))
        label = table.said.label[rows] if self.regression else _mapped(self._places[name], table.said.label[rows])
        first = self._sets.get(where.examples)
        if first is None:
            self._sets[where.examples] = _Examples(table, ids, text_array(ids), label)
            return rows
        if not ids.equals(first.ids):
            found = pc.index_in(first.ids, value_set=ids)
            if found.null_count or len(ids) != len(first.ids):
                raise refuse(table.path, f"{where}: {_unlike(ids, first)}")
            order = np.asarray(found)
            rows, label = rows[order], label[order]
        differ = np.flatnonzero(label != first.label) if not where.foreign else np.empty(0, np.int64)
        if len(differ):
            row = int(differ[0])
            ours, theirs = (str(v) if self.regression else self.classes[v] for v in (label[row], first.label[row]))
            text = (
                f"id {short(first.names[row])} has the label {short(ours)} in {where}, and {short(theirs)} in {first.table.path}"
            )
            raise table.raw.wrong(f"{text}; {len(differ)} labels differ", "label", int(rows[row]))
        return rows

    def _outputs(self, name: str, table: Table, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(logits, probabilities or values; pred) of rows of a file, the classes in the common order."""
        held, places = table.said.outputs, self._places[name]
        whole = len(rows) == table.raw.n and np.array_equal(rows, np.arange(table.raw.n))
        if held is None:
            pred = places[table.said.decision[rows]]
            if len(rows) * len(self.classes) > MOST_NUMBERS:
                raise refuse(
                    table.path, f"{len(rows)} rows of {len(self.classes)} classes; at most {MOST_NUMBERS} cells are judged"
                )
            return (pred[:, None] == np.arange(len(self.classes))).astype(np.float16), pred
        part = held if whole else held[rows]
        if self.regression:
            return part, part[:, 0]
        if not np.array_equal(places, np.arange(len(places))):
            part = part[:, np.argsort(places)]
        pred = part.argmax(axis=1)
        return np.ascontiguousarray(part), pred

    def _column(self, column: str) -> np.ndarray:
        """A group column ("": the clusters) of the test rows as text (n,), "" for none. All files that have it must agree."""
        known: tuple[Table, np.ndarray] | None = None
        for (name, where), rows in self._rows.items():
            table = self._tables[name]
            held = table.groups.get(column) if column else table.cluster
            if held is None or where.examples != ("test", ""):
                continue
            text = _texts(held, rows)
            if known is None:
                known = table, text
            elif len(differ := np.flatnonzero(text != known[1])):
                row = int(differ[0])
                what = (
                    f"id {short(self.ids[row])} has {short(text[row])} in {where}, and {short(known[1][row])} in {known[0].path}"
                )
                raise table.raw.wrong(
                    f"{what}; {len(differ)} rows differ", f"group.{column}" if column else "cluster", int(rows[row])
                )
        assert known is not None, "the column is one of some file"
        return known[1]


def text_array(ids: Any) -> np.ndarray:
    """Arrow text (n,) as numpy text (n,)."""
    held = ids.cast(pa.large_string())
    offsets = np.frombuffer(held.buffers()[1], np.int64)[held.offset : held.offset + len(held) + 1]
    data = np.frombuffer(held.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    if (data > 127).any():
        return np.array(held.to_pylist(), dtype=np.str_)
    lengths = np.diff(offsets)
    wide = np.zeros((len(held), int(lengths.max())), np.uint32)  # as numpy keeps text: four bytes a character
    wide[np.arange(wide.shape[1]) < lengths[:, None]] = data
    return wide.view(f"<U{wide.shape[1]}").ravel()


def _texts(held: Levels, rows: np.ndarray) -> np.ndarray:
    return np.asarray(np.array([*held[0], ""], dtype=np.str_)[held[1][rows]])


def _mapped(places: np.ndarray, label: np.ndarray) -> np.ndarray:
    return np.asarray(np.append(places, -1)[label])


def _of_one_kind(tables: Sequence[Table]) -> bool:
    """Whether the files are about a regression. Refuses some of each."""
    values = [t for t in tables if t.kind == "values"]
    if values and len(values) < len(tables):
        other = next(t for t in tables if t.kind != "values")
        raise refuse(values[0].path, f"values of a regression, but {other.path} holds {other.kind}; they cannot be compared")
    return bool(values)


def _classes(tables: Sequence[Table]) -> tuple[str, ...]:
    """The classes that all files are about, in the order of the first that has outputs."""
    first = next((t for t in tables if t.said.outputs is not None), None)
    if first is None:
        names = dict.fromkeys(c for t in tables for c in t.said.classes)
        return tuple(sorted(names, key=int) if all(c.isdigit() for c in names) else sorted(names))
    for table in tables:
        unknown = [c for c in table.said.classes if c not in first.said.classes]
        absent = [] if table.said.outputs is None else [c for c in first.said.classes if c not in table.said.classes]
        if unknown or absent:
            what = f"has the class {short(unknown[0])}, which" if unknown else f"lacks the class {short(absent[0])}, which"
            raise refuse(
                table.path, f"{what} {first.path} {'lacks' if unknown else 'has'}; the classes must be the same, in any order"
            )
    return first.said.classes


def _unlike(ids: Any, first: _Examples) -> str:
    """In what two sets of ids differ."""
    ours = ids.filter(pc.invert(pc.is_in(ids, value_set=first.ids)))
    theirs = first.ids.filter(pc.invert(pc.is_in(first.ids, value_set=ids)))
    parts = [f"{len(ours)} of {len(ids)} ids are not in {first.table.path} (such as {short(ours[0])})"] if len(ours) else []
    parts += (
        [f"{len(theirs)} of the {len(first.ids)} ids there are missing here (such as {short(theirs[0])})"] if len(theirs) else []
    )
    return f"{'; '.join(parts)}; the same ids are needed, in any order"
