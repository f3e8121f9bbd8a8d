"""The columns of a file as they lie in it, whatever its format, and the limits of what is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import files
from kdbench.nouns import Refusal

if TYPE_CHECKING:
    import numpy as np

MOST_BYTES = 4 * 2**30
"""Bytes of a file, and of what it unpacks to."""
MOST_ROWS = 20_000_000
MOST_COLUMNS = 20_000
MOST_NUMBERS = 500_000_000
"""Cells of all columns, those of lists counted one by one."""
MOST_TEXT = 1_000
"""Characters of an id, a label, a group or a name."""


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """What a file holds. columns: name -> Arrow array (n,) of text, whole numbers, floats or truth values, with nulls;
    blocks: name -> numpy (n, K), the columns that hold a list of K numbers in each row; meta: what the file says of itself,
    keys that begin with "kdbench."; first: the number of the first row, and what a row is called ("row", or "line" of text).
    """

    path: Path
    columns: Mapping[str, Any]
    blocks: Mapping[str, np.ndarray] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)
    first: int = 1
    called: str = "row"

    @property
    def names(self) -> tuple[str, ...]:
        """All columns."""
        return (*self.columns, *self.blocks)

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(next(iter((*self.columns.values(), *self.blocks.values()))))

    def at(self, row: int) -> str:
        """Where a row (from 0) stands: "row 4", "line 5"."""
        return f"{self.called} {row + self.first}"

    def wrong(self, text: str, column: str = "", row: int | None = None) -> Refusal:
        """The refusal of this file, one line, with the place that it is about."""
        place = [self.at(row)] if row is not None else []
        place += [f"column {short(column)}"] if column else []
        return refuse(self.path, f"{', '.join(place)}: {text}" if place else text)


def refuse(path: Path, text: str) -> Refusal:
    """The refusal of a file, one line."""
    return Refusal(f"{path}: {text}")


def short(value: object) -> str:
    """A value of a file in quotes, cut to a length that a message can bear."""
    text = str(value)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def load(path: Path) -> bytes:
    """The bytes of a file: regular, not a link, of at most MOST_BYTES. Raises Refusal."""
    try:
        data = files.read(path, MOST_BYTES)
    except FileNotFoundError:
        raise refuse(path, "no such file") from None
    except OSError as error:
        limit = f" (at most {MOST_BYTES >> 30} GiB are read)" if "too large" in str(error) else ""
        raise refuse(path, f"{error.strerror or 'cannot be read'}{limit}; a regular file is expected") from None
    if not data:
        raise refuse(path, "empty; columns and rows are expected")
    return data


def check_names(path: Path, names: tuple[str, ...]) -> None:
    """Refuse columns that cannot be told apart, or are too many."""
    if len(names) > MOST_COLUMNS:
        raise refuse(path, f"{len(names)} columns; at most {MOST_COLUMNS} are read")
    seen: set[str] = set()
    for place, name in enumerate(names, 1):
        if not name:
            raise refuse(path, f"column {place} has no name; give it one, or leave it out (pandas: to_csv(index=False))")
        if len(name) > MOST_TEXT:
            raise refuse(path, f"column {place} has a name of {len(name)} characters; at most {MOST_TEXT} are read")
        if name in seen:
            raise refuse(path, f"two columns are called {short(name)}; rename one")
        seen.add(name)


def check_size(path: Path, rows: int, numbers: int) -> None:
    """Refuse more than is read; called with what a file announces, before it is unpacked."""
    if not rows:
        raise refuse(path, "columns and no rows")
    if rows > MOST_ROWS:
        raise refuse(path, f"{rows} rows; at most {MOST_ROWS} are read")
    if numbers > MOST_NUMBERS:
        raise refuse(path, f"{numbers} cells; at most {MOST_NUMBERS} are read")
