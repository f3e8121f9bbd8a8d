"""CSV, strictly: RFC 4180, UTF-8, one line a row, names in the first line; what is in a cell is what is kept ("NA" is text)."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pacsv  # type: ignore[import-untyped]

from kdbench.tables.raw import Raw, check_names, check_size, load, refuse, short

NUMBERS = ("value",)
NUMBERED = ("logit.", "probability.")
BLOCK = 64 * 2**20
PARSED = re.compile(r"In CSV column #(\d+): Row #(\d+): CSV conversion error to \w+: (?:invalid value '(.*)'|(.*))", re.DOTALL)


def read_csv(path: Path) -> Raw:
    """The columns of a CSV file: `logit.*`, `probability.*` and `value` as float64, all others as text."""
    data = load(path).removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    _check_bytes(path, data)
    names = _header(path, data)
    check_names(path, tuple(names))
    lines = data.count(b"\n")
    check_size(path, lines, lines * len(names))
    if b'"' in data:
        _check_quotes(path, data, len(names))
    kinds = {n: pa.float64() if n in NUMBERS or n.startswith(NUMBERED) else pa.string() for n in names}
    if kinds.get("value") and "label" in kinds:
        kinds["label"] = pa.float64()
    table = _parsed(path, data, names, kinds)
    if table.num_rows != lines:
        raise refuse(path, f"line {_blank(data)}: empty; one line a row is expected")
    columns = {name: column.combine_chunks() for name, column in zip(table.column_names, table.columns, strict=True)}
    return Raw(path, columns, first=2, called="line")


def _check_bytes(path: Path, data: bytes) -> None:
    """Refuse what is no UTF-8 text with one row a line."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse(path, "UTF-16; save the file as UTF-8")
    if b"\0" in data:
        raise refuse(path, f"line {_line(data, data.index(0))}: a zero byte; not a text file")
    if data.count(b"\r") != data.count(b"\r\n"):
        raise refuse(path, "a line ends with a carriage return alone; end lines with LF or CR LF")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        found = f"line {_line(data, error.start)}: not UTF-8 (byte 0x{data[error.start]:02x})"
        raise refuse(path, f"{found}; save the file as UTF-8") from None


def _header(path: Path, data: bytes) -> list[str]:
    first = data[: data.find(b"\n") if b"\n" in data else None].rstrip(b"\r").decode()
    try:
        names = next(csv.reader([first], strict=True), [])
    except csv.Error as error:
        raise refuse(path, f"line 1: {error}") from None
    if len(names) < 2:
        wrong = "separate the columns with commas" if any(c in first for c in ";\t|") else "names of columns are expected"
        raise refuse(path, f"line 1: one column only, {short(first)}; {wrong}")
    return names


def _check_quotes(path: Path, data: bytes, width: int) -> None:
    """Where there are quotes, the strict reader of Python goes first: the fast one forgives an open or a stray quote."""
    reader = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    before = 0
    try:
        for row in reader:
            if reader.line_num > before + 1:
                raise refuse(
                    path, f"line {before + 1}: a quoted cell goes on over {reader.line_num - before} lines; is a quote open?"
                )
            if row and len(row) != width:
                raise refuse(path, f"line {before + 1}: {len(row)} cells; the header has {width} names")
            before = reader.line_num
    except csv.Error as error:
        why = "a quote is opened and never closed" if "unexpected end of data" in str(error) else str(error)
        raise refuse(path, f"line {before + 1}: {why}") from None


def _parsed(path: Path, data: bytes, names: list[str], kinds: dict[str, Any]) -> Any:
    convert = pacsv.ConvertOptions(column_types=kinds, null_values=[], strings_can_be_null=False, true_values=[], false_values=[])
    try:
        return pacsv.read_csv(
            io.BytesIO(data),
            pacsv.ReadOptions(use_threads=False, block_size=min(BLOCK, len(data) + 1)),
            pacsv.ParseOptions(newlines_in_values=False),
            convert,
        )
    except pa.ArrowInvalid as error:
        found = PARSED.search(str(error))
        if found:
            name, cell = names[int(found[1])], found[3]
            why = "the cell is empty" if cell == "" else f"{short(cell or found[4])} is not a number"
            hint = f"; write {cell.replace(',', '.')}" if re.fullmatch(r"\s*-?\d+,\d+\s*", cell or "") else ""
            raise refuse(path, f"line {found[2]}, column {name!r}: {why}{hint}") from None
        ragged = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error))
        if ragged:
            raise refuse(path, f"line {ragged[1]}: {ragged[3]} cells; the header has {ragged[2]} names") from None
        raise refuse(path, f"not a readable CSV file ({' '.join(str(error).split())[:120]})") from None


def _line(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1


def _blank(data: bytes) -> int:
    lines = data.split(b"\n")
    return next((i for i, line in enumerate(lines, 1) if not line.strip(b"\r")), len(lines))
