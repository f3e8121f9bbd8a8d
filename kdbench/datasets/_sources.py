"""Your own texts with references: a source and a target column, for summaries and translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kdbench import Refusal, Samples
from kdbench.datasets._asked import asked, filled, joined, said
from kdbench.datasets._cells import SPLITS
from kdbench.datasets._records import read_records, text, whole


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column means what; "" for none."""

    source: str
    target: str
    groups: Sequence[str] = ()
    id: str = ""
    split: str = ""
    cluster: str = ""

    def all(self) -> list[str]:
        """Every column to read."""
        return [
            name for name in dict.fromkeys((self.source, self.target, *self.groups, self.id, self.split, self.cluster)) if name
        ]


def read_sources(root: Path | None, name: str, columns: Columns, prompt: str, licence: str) -> Samples:
    """The rows of a file. prompt: a template with {source}. A target may be a list of references. Raises Refusal with the row."""
    if columns.source == columns.target:
        raise Refusal(f"{name}: {columns.source!r} is both source and target")
    path, rows = read_records(root, name, columns.all())
    sources = [{"source": text(path, i, row, columns.source)} for i, row in enumerate(rows, 1)]
    targets = [references(path, i, columns.target, row[columns.target]) for i, row in enumerate(rows, 1)]
    ids = column(path, rows, columns.id) if columns.id else np.array([str(i + 1) for i in range(len(rows))])
    empty = [i for i, target in enumerate(targets, 1) if not target]
    notes = (
        said(prompt),
        *((f"{len(empty)} of {len(rows)} references are empty (the first in row {empty[0]})",) if empty else ()),
    )
    return replace(
        asked(filled(prompt, sources), targets, ids, licence, name),
        groups={group: column(path, rows, group) for group in columns.groups},
        split=_splits(path, rows, columns.split) if columns.split else None,
        cluster=column(path, rows, columns.cluster) if columns.cluster else None,
        notes=notes,
    )


def references(path: Path, number: int, key: str, value: Any) -> str:
    """A text, or a list of them, as one target."""
    several = value if isinstance(value, list) else [value]
    if not several or not all(isinstance(one, str) for one in several):
        raise Refusal(f"{path}: row {number}, {key!r}: {str(value)[:40]!r}; a text, or a list of texts, is expected")
    return joined([whole(path, number, key, one) for one in several], f"{path}: row {number}, {key!r}")


def column(path: Path, rows: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    """Short values as text (n,). Raises Refusal for lists and objects, and for values of more than 1,000 characters."""
    found = []
    for number, row in enumerate(rows, 1):
        value = row[name]
        if isinstance(value, (list, dict)) or len(str(value)) > 1000:
            raise Refusal(f"{path}: row {number}, {name!r}: {str(value)[:40]!r}; a short text or a number is expected")
        found.append("" if value is None else whole(path, number, name, str(value)))
    return np.array(found)


def _splits(path: Path, rows: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    values = column(path, rows, name)
    for number, value in enumerate(values.tolist(), 1):
        if value not in SPLITS:
            raise Refusal(f"{path}: row {number}, {name!r}: split {value[:40]!r} (allowed: {', '.join(SPLITS)})")
    return values
