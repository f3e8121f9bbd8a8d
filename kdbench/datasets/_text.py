"""Texts from the files of a dataset: columns of texts, labels by name, free text as documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdbench import Refusal, Samples
from kdbench.datasets._sheet import Sheet, read_sheet

MOST_TEXT = 2**23
"""Characters of one text. A model reads the first few hundred tokens; what was cut off is counted when tokens are made."""

SENTIMENTS = ("negative", "positive")
"""The classes of every dataset of sentiments, in one order, so that a model of one can be asked about another."""

INFERENCES = ("entailment", "neutral", "contradiction")
"""The classes of every dataset of inferences, in the order of MNLI's distributed labels."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of a dataset, one for each split; their rows follow one another in this order."""

    sheets: Mapping[str, Sheet]

    def column(self, name: str) -> list[str]:
        """One column, through all splits."""
        return [value for sheet in self.sheets.values() for value in sheet.column(name, "expected")]

    def texts(self, *names: str) -> np.ndarray:
        """Object array of str (n, k): these columns."""
        return stacked(*(self.column(name) for name in names))

    def labels(self, name: str, written: Sequence[str]) -> np.ndarray:
        """int64 (n,): the place in `written` of what the column says. Raises Refusal with file and row for anything else."""
        return np.concatenate([chosen(sheet, name, written) for sheet in self.sheets.values()])

    def split(self) -> np.ndarray:
        """Text (n,): the split of each row."""
        return np.repeat(list(self.sheets), [sheet.rows for sheet in self.sheets.values()])

    def ids(self) -> np.ndarray:
        """Text (n,): "<name of the file>-<row, from 0>"."""
        return np.array([f"{sheet.path.stem}-{i:05d}" for sheet in self.sheets.values() for i in range(sheet.rows)])

    def where(self, keep: Callable[[Sheet, int], bool]) -> Parts:
        """The rows for which `keep(sheet, row)` holds."""
        return Parts(
            {split: only(sheet, [i for i in range(sheet.rows) if keep(sheet, i)]) for split, sheet in self.sheets.items()}
        )


def read_parts(root: Path | None, files: Mapping[str, str], columns: Sequence[str]) -> Parts:
    """The files of a dataset (split -> name), these columns of them. Raises Refusal."""
    return Parts({split: read_sheet(root, name, columns, MOST_TEXT) for split, name in files.items()})


def only(sheet: Sheet, rows: Sequence[int]) -> Sheet:
    """Some rows of a sheet."""
    return Sheet(sheet.path, {name: [column[i] for i in rows] for name, column in sheet.columns.items()})


def stacked(*columns: Sequence[str]) -> np.ndarray:
    """Object array of str (n, k) of k columns; no text is cut, padded or copied to the width of the longest."""
    out = np.empty((len(columns[0]), len(columns)), object)
    for j, column in enumerate(columns):
        out[:, j] = column
    return out


def chosen(sheet: Sheet, name: str, written: Sequence[str]) -> np.ndarray:
    """int64 (n,): the place in `written` of each value of a column. Raises Refusal."""
    place = {value: i for i, value in enumerate(written)}
    values = sheet.column(name, "label")
    for row, value in enumerate(values, 1):
        if value not in place:
            raise Refusal(f"{sheet.path}: row {row}, column {name!r}: {value[:40]!r} (allowed: {', '.join(written[:20])})")
    return np.array([place[value] for value in values], np.int64)


def numbered(values: Sequence[str]) -> np.ndarray:
    """Text (n,): "00000", "00001", ... for distinct values in order of appearance, as short names of clusters."""
    place: dict[str, int] = {}
    return np.array([f"{place.setdefault(value, len(place)):05d}" for value in values])


def documents(texts: Sequence[str], ids: np.ndarray, split: np.ndarray | None, licence: str, source: str) -> Samples:
    """Free text, in which a model says the next token: no label, each text a document."""
    none = np.full(len(texts), -1, np.int64)
    return Samples("text", {"text": stacked(texts)}, none, ids, (), licence, source, split=split, answer="next")
