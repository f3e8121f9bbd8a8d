"""Reads rows whose cells may be lists: JSON, JSON lines and Parquet as they are, CSV as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from kdbench import Refusal
from kdbench.datasets._files import in_folder
from kdbench.datasets._sheet import MOST_BYTES, MOST_UNPACKED, Sheet, decode, read_sheet
from kdbench.datasets._text import MOST_TEXT

ENDINGS = (".json", ".jsonl", ".csv", ".parquet")
MOST_ROWS = 2_000_000


def read_records(root: Path | None, name: str, wanted: Sequence[str] | None = None) -> tuple[Path, list[dict[str, Any]]]:
    """The rows of a file in its order, each a mapping that has the wanted keys (None: whatever there is; an empty CSV cell
    is ""). Raises Refusal.

    A .json file holds a list of objects, or {"data": [...]}.
    """
    if not name.endswith(ENDINGS):
        raise Refusal(f"{name[:200]!r}: only {', '.join(ENDINGS)} files are read here")
    if name.endswith(".csv"):
        sheet = read_sheet(root, name, wanted, MOST_TEXT)
        return sheet.path, [dict(zip(sheet.columns, row, strict=True)) for row in zip(*sheet.columns.values(), strict=True)]
    path = in_folder(root, name, MOST_BYTES)
    rows = _parquet(path, wanted) if name.endswith(".parquet") else _json(path, lines=name.endswith(".jsonl"))
    if not rows:
        raise Refusal(f"{path}: no rows")
    if len(rows) > MOST_ROWS:
        raise Refusal(f"{path}: {len(rows)} rows; at most {MOST_ROWS} are read")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise Refusal(f"{path}: row {number}: {str(row)[:40]!r} is no object; names and values are expected")
        for key in wanted or ():
            if key not in row:
                Sheet(path, dict.fromkeys(map(str, row), ()) or {"(none)": ()}).column(key, f"row {number}")  # with the nearest
    return path, rows


def text(path: Path, number: int, row: dict[str, Any], key: str) -> str:
    """One cell that is a text. Raises Refusal with the row for anything else, and for half of a surrogate pair."""
    value = row[key]
    if not isinstance(value, str):
        raise Refusal(f"{path}: row {number}, {key!r}: {type(value).__name__} {str(value)[:40]!r}; a text is expected")
    return whole(path, number, key, value)


def whole(path: Path, number: int, key: str, value: str) -> str:
    """A text that UTF-8 can hold, of bearable length. Raises Refusal."""
    if len(value) > MOST_TEXT:
        raise Refusal(f"{path}: row {number}, {key!r}: {len(value)} characters; at most {MOST_TEXT} are read")
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise Refusal(f"{path}: row {number}, {key!r}: half of a surrogate pair; the text was cut inside a character")
    return value


def _json(path: Path, *, lines: bool) -> list[Any]:
    held = decode(path, MOST_BYTES)
    parts = [line for line in held.split("\n") if line.strip()] if lines else [held]
    found = []
    for number, part in enumerate(parts, 1):
        try:
            found.append(json.loads(part, parse_constant=_constant))
        except (ValueError, RecursionError) as error:
            where = f"line {number}: " if lines else ""
            raise Refusal(f"{path}: {where}no plain JSON ({' '.join(str(error).split())[:120]})") from None
    if lines:
        return found
    rows = found[0].get("data") if isinstance(found[0], dict) else found[0]
    if not isinstance(rows, list):
        raise Refusal(f'{path}: a list of objects, or {{"data": [...]}}, is expected')
    return rows


def _parquet(path: Path, wanted: Sequence[str] | None) -> list[Any]:
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - other files need no pyarrow
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            for key in wanted or ():
                Sheet(path, dict.fromkeys(names, ())).column(key, "expected")  # refuses, with the nearest
            unpacked = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
            if unpacked > MOST_UNPACKED or file.metadata.num_rows > MOST_ROWS:
                raise Refusal(f"{path}: {file.metadata.num_rows} rows, {unpacked} bytes when unpacked; fewer are read")
            rows: list[Any] = file.read(columns=None if wanted is None else list(wanted), use_threads=False).to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError, IndexError) as error:
        raise Refusal(f"{path}: not a readable Parquet file ({' '.join(str(error).split())[:120]})") from None
    return rows


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
