"""Reads CSV and Parquet files as text, strictly: what is in a cell is what is kept.

Nothing is guessed from a cell ("NA", "None", "null", "007" stay as they are); an empty cell is "". Whatever makes rows and
columns uncertain is refused with the place: ragged rows, an open quote, two columns of one name, bytes that are not UTF-8.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kdbench import Refusal
from kdbench.datasets._files import in_folder, regular

MOST_BYTES = 256 * 2**20
MOST_COLUMNS = 10_000
MOST_CELLS = 20_000_000
MOST_UNPACKED = 2**30
MOST_TEXT = 10_000
LIMIT_OF_CSV = 131_072
"""Characters of a cell that the module csv reads unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Columns of equal length, as text, in file order; "" is an empty cell. Rows count from 1 below the header."""

    path: Path
    columns: Mapping[str, Sequence[str]]

    @property
    def rows(self) -> int:
        """How many rows there are below the header."""
        return len(next(iter(self.columns.values())))

    def column(self, name: str, role: str) -> Sequence[str]:
        """One column. Raises Refusal with the nearest name; `role` says what asked for it."""
        if name not in self.columns:
            close = get_close_matches(name, self.columns, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            names = ", ".join(repr(c[:40]) for c in list(self.columns)[:20])
            raise Refusal(f"{self.path}: {role}: no column {name[:80]!r}{hint} (the file has: {names})")
        return self.columns[name]


def read_sheet(root: Path | None, name: str, only: Sequence[str] | None = None, most_text: int = MOST_TEXT) -> Sheet:
    """A .csv or .parquet file (`only`: these columns of it). Raises Refusal with file, row or line, and column.

    most_text: the most characters of a cell.
    """
    if not name.endswith((".csv", ".parquet")):
        raise Refusal(f"{name[:200]!r}: only .csv and .parquet files are read as tables")
    path = in_folder(root, name, MOST_BYTES)
    sheet = read_csv(path, most_text) if name.endswith(".csv") else read_parquet(path, only, most_text)
    if only is None or list(sheet.columns) == list(only):
        return sheet
    return Sheet(path, {wanted: sheet.column(wanted, "expected") for wanted in only})


def read_csv(path: Path, most_text: int = MOST_TEXT) -> Sheet:
    """A comma-separated file in UTF-8 (with or without BOM), first row the names of the columns, RFC 4180 quotes."""
    text = decode(path, 16 * most_text)
    before = csv.field_size_limit(max(LIMIT_OF_CSV, 2 * most_text))
    try:
        head, rows = _csv_rows(path, text)
    finally:
        csv.field_size_limit(before)
    columns = dict(zip(head, zip(*rows, strict=True), strict=True))
    for name, column in columns.items():
        check_text(path, name, column, most_text)
    return Sheet(path, columns)


def _csv_rows(path: Path, text: str) -> tuple[list[str], list[list[str]]]:
    """The header, and rows of its width."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    start = 1
    try:
        head = next(reader, None)
        _check_names(path, head or [])
        width = len(head or [])
        for row in reader:
            start, before = reader.line_num, start
            if not row and width > 1:
                continue  # a blank line
            if len(row) != width:
                raise Refusal(f"{path}: line {before + 1}: {len(row)} cells in a row, {width} names in the header")
            rows.append(row)
            if len(rows) * width > MOST_CELLS:
                raise Refusal(f"{path}: more than {MOST_CELLS} cells; at most that many are read")
    except csv.Error as error:
        why = "a quote is opened and never closed" if "unexpected end of data" in str(error) else str(error)
        raise Refusal(f"{path}: the row that starts on line {start + 1}: {why}") from None
    if not rows:
        raise Refusal(f"{path}: a header and no rows")
    return head or [], rows


def read_parquet(path: Path, only: Sequence[str] | None = None, most_text: int = MOST_TEXT) -> Sheet:
    """A Parquet file of plain columns; sizes are read from its footer before anything is unpacked."""
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - CSV files need no pyarrow
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    try:
        with pq.ParquetFile(regular(path, MOST_BYTES)) as file:
            names = file.schema_arrow.names
            _check_names(path, names)
            _check_size(path, file.metadata)
        for name in only or ():
            Sheet(path, dict.fromkeys(names, ())).column(name, "expected")  # refuses, with the nearest of all names
        # text stays a dictionary while reading: 20 MB of codes may stand for 100 GB of text
        text = [f.name for f in file.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        wanted = [n for n in names if only is None or n in only]
        with pq.ParquetFile(path, read_dictionary=text) as file:
            table = file.read(columns=wanted, use_threads=False)
        columns = {n: _plain(path, n, c.combine_chunks()) for n, c in zip(table.column_names, table.columns, strict=True)}
        for name, column in columns.items():
            check_text(path, name, column, most_text)
    except (pa.ArrowException, OSError, UnicodeDecodeError, IndexError) as error:
        raise Refusal(f"{path}: not a readable Parquet file ({' '.join(str(error).split())[:120]})") from None
    if not table.num_rows:
        raise Refusal(f"{path}: columns and no rows")
    return Sheet(path, columns)


def _plain(path: Path, name: str, column: Any) -> list[str]:
    """An Arrow array as text: integers exactly, floats in their shortest form, nothing for null."""
    import pyarrow as pa  # noqa: PLC0415 - CSV files need no pyarrow

    held = column.dictionary if pa.types.is_dictionary(column.type) else column
    if pa.types.is_nested(held.type) or pa.types.is_binary(held.type) or pa.types.is_large_binary(held.type):
        raise Refusal(f"{path}: column {name!r}: {held.type} is not read; allowed: numbers, text, truth values, dates")
    values = ["" if v is None else v for v in held.cast(pa.string()).to_pylist()]
    if held is not column:
        values = ["" if i is None else values[i] for i in column.indices.to_pylist()]
    return values


def decode(path: Path, longest_line: int) -> str:
    """The text of a UTF-8 file, without a BOM. Raises Refusal with the line of what is no text."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refusal(f"{path}: line {line}: not UTF-8 (byte 0x{data[error.start]:02x}); save the file as UTF-8") from None
    if "\0" in text:
        raise Refusal(f"{path}: line {text.count(chr(10), 0, text.index(chr(0))) + 1}: a zero byte; not a text file")
    longest = max(map(len, text.split("\n")), default=0)
    if longest > longest_line:
        raise Refusal(f"{path}: a line of {longest} characters; at most {longest_line} are read")
    return text


def _check_names(path: Path, names: Sequence[str]) -> None:
    if not names or names == [""]:
        raise Refusal(f"{path}: empty; a header and rows are expected")
    if len(names) > MOST_COLUMNS:
        raise Refusal(f"{path}: {len(names)} columns; at most {MOST_COLUMNS} are read")
    twice = [name for i, name in enumerate(names) if name in names[:i]] if len(set(names)) < len(names) else []
    if twice:
        raise Refusal(f"{path}: two columns are called {twice[0][:80]!r}; rename one")
    if "" in names:
        raise Refusal(f"{path}: column {list(names).index('') + 1} has no name")
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise Refusal(f"{path}: one column only, {names[0][:60]!r}; separate the columns with commas")


def _check_size(path: Path, facts: Any) -> None:
    rows, width = facts.num_rows, facts.num_columns
    if rows * width > MOST_CELLS:
        raise Refusal(f"{path}: {rows} rows of {width} columns; at most {MOST_CELLS} cells are read")
    unpacked = sum(facts.row_group(i).total_byte_size for i in range(facts.num_row_groups))
    if unpacked > MOST_UNPACKED:
        raise Refusal(f"{path}: {unpacked} bytes when unpacked; at most {MOST_UNPACKED} are read")


def check_text(path: Path, name: str, column: Sequence[str], most: int = MOST_TEXT) -> None:
    """Refuse a cell of more than `most` characters, or with a zero byte."""
    if max(map(len, column), default=0) > most or any("\0" in v for v in set(column)):
        row = next(i for i, v in enumerate(column, 1) if len(v) > most or "\0" in v)
        raise Refusal(f"{path}: row {row}, column {name!r}: more than {most} characters, or a zero byte")
