"""A prediction file, read and checked by itself: what it says of which example, in which set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from kdbench.predictions import answers, labels
from kdbench.predictions.layout import GROUP, Layout, layout
from kdbench.predictions.sets import Where, sets_of
from kdbench.registry import nearest
from kdbench.tables.raw import MOST_TEXT, Raw, refuse, short
from kdbench.tables.read_csv import read_csv
from kdbench.tables.read_npz import read_npz
from kdbench.tables.read_parquet import read_parquet

READERS = {".parquet": read_parquet, ".csv": read_csv, ".npz": read_npz}

Levels = tuple[list[str], np.ndarray]
"""The distinct texts of a column, and the place of each row's among them, int64 (n,), -1 for none."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """The answers of a file. classes: their names, in the order of the outputs (() for a regression); label: int64 (n,), place
    in `classes`, -1 for none, or float64 of a regression; outputs (n, K): logits or probabilities, None for decisions, (n, 1)
    values of a regression; decision int64 (n,): the largest output, the first of equals.
    """

    classes: tuple[str, ...]
    label: np.ndarray
    outputs: np.ndarray | None
    decision: np.ndarray
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """All that a file says. kind: "logits", "probabilities", "decisions" or "values"; sets: where -> its rows; ids: Arrow text
    (n,); groups: column -> levels; positive: the name of that class, "" for none.
    """

    raw: Raw
    kind: str
    sets: Mapping[Where, np.ndarray]
    ids: Any
    said: Said
    groups: Mapping[str, Levels]
    cluster: Levels | None
    positive: str

    @property
    def path(self) -> Path:
        """The file."""
        return self.raw.path


def read(path: Path) -> Table:
    """Read a prediction file by its ending: .parquet, .csv or .npz. Raises Refusal, one line, for whatever does not hold."""
    if path.suffix.lower() not in READERS:
        raise refuse(path, f"ending {path.suffix!r}{nearest(path.suffix, tuple(READERS))}")
    raw = READERS[path.suffix.lower()](path)
    found = layout(raw)
    ids = _ids(raw)
    sets = sets_of(raw)
    labelled = np.ones(raw.n, bool)
    for where, rows in sets.items():
        _unique(raw, ids, where, rows)
        if where.foreign:
            labelled[rows] = False
    said = _values(raw, labelled) if found.kind == "values" else _classified(raw, found, labelled)
    groups = {name: texts_of(raw, GROUP + name) for name in found.groups}
    cluster = labels.texts(raw, "cluster") if "cluster" in raw.columns else None
    return Table(raw, found.kind, sets, ids, said, groups, cluster, labels.positive_of(raw, said.classes))


def texts_of(raw: Raw, name: str) -> Levels:
    """The levels of a group column. Fractions are refused: they are no groups."""
    column = raw.columns[name]
    if pa.types.is_floating(column.type):
        raise raw.wrong(f"continuous ({column.type}); say bins, such as '18-39', '40-64'", name)
    return labels.texts(raw, name)


def _values(raw: Raw, labelled: np.ndarray) -> Said:
    value = answers.finite(raw, "value", np.ones(raw.n, bool))
    return Said((), answers.finite(raw, "label", labelled), value[:, None], np.zeros(raw.n, np.int64))


def _classified(raw: Raw, found: Layout, labelled: np.ndarray) -> Said:
    outputs = None if found.kind == "decisions" else answers.outputs(raw, found)
    classes, note = labels.classes_of(raw, found, labelled)
    label = labels.decoded(raw, "label", classes, labelled)
    if outputs is not None:
        return Said(classes, label, outputs, outputs.argmax(axis=1), note)
    return Said(classes, label, None, labels.decoded(raw, "decision", classes, np.ones(raw.n, bool)), note)


def _ids(raw: Raw) -> Any:
    """Arrow text (n,). Whole numbers become their digits; fractions are refused, for they lose digits above 2**53."""
    column = raw.columns["id"]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)):
        raise raw.wrong(f"{kind}; allowed: text and whole numbers (above 2**53 fractions lose digits)", "id")
    ids = pc.cast(column, pa.string())
    empty = np.asarray(pc.fill_null(pc.equal(ids, ""), True))
    if empty.any():
        raise raw.wrong("empty; every row needs an id", "id", int(empty.argmax()))
    zero = np.asarray(pc.match_substring(ids, "\0"))
    if zero.any():
        raise raw.wrong("a zero character; text is expected", "id", int(zero.argmax()))
    length = pc.utf8_length(ids)
    if pc.max(length).as_py() > MOST_TEXT:
        row = int(np.asarray(length).argmax())
        raise raw.wrong(f"{length[row]} characters; at most {MOST_TEXT} are read", "id", row)
    return ids


def _unique(raw: Raw, ids: Any, where: Where, rows: np.ndarray) -> None:
    code = pc.dictionary_encode(ids if len(rows) == len(ids) else ids.take(pa.array(rows)))
    if len(code.dictionary) < len(code):
        counts = np.bincount(np.asarray(code.indices))
        first, second = rows[np.flatnonzero(np.asarray(code.indices) == counts.argmax())[:2]]
        name = short(code.dictionary[int(counts.argmax())])
        more = f"; {len(code) - len(counts)} repeated ids" if len(code) - len(counts) > 1 else ""
        raise raw.wrong(
            f"{name} is given twice in {where}, first in {raw.at(int(first))}; ids must differ{more}", "id", int(second)
        )
