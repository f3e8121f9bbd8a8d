"""JSON lines: one object a row, the same names in each; numbers by class may stand in an object or a list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from kdbench.tables.raw import MOST_TEXT, Raw, check_names, check_size, load, refuse, short

BY_CLASS = {"probabilities": "probability.", "logits": "logit."}
"""Objects {class: number}, and how the columns of one class each begin."""


def read_jsonl(path: Path) -> Raw:
    """The columns of a .jsonl file in UTF-8: text, whole numbers, floats and truth values; null is a missing cell. A list of
    numbers is a block, {class: number} under "probabilities" or "logits" a column for each class. Raises Refusal with the line.
    """
    try:
        lines = load(path).removeprefix(b"\xef\xbb\xbf").decode().split("\n")  # not splitlines: U+2028 may stand in a text
    except UnicodeDecodeError as error:
        raise refuse(path, f"not UTF-8 (byte {error.start}); save the file as UTF-8") from None
    lines = lines[:-1] if lines[-1] == "" else lines
    rows = [_row(path, i, line) for i, line in enumerate(lines, 1)]
    names = tuple(rows[0]) if rows else ()
    check_names(path, names)
    check_size(path, len(rows), len(rows) * len(names))
    for i, row in enumerate(rows, 1):
        if set(row) != set(names):
            other = next(iter(set(row) ^ set(names)))
            raise refuse(path, f"line {i}: {short(other)} is not in every line; all lines need the same names")
    columns: dict[str, Any] = {}
    blocks: dict[str, np.ndarray] = {}
    for name in names:
        values = [row[name] for row in rows]
        if any(isinstance(value, list) for value in values):
            blocks[name] = _block(path, name, values)
        else:
            columns[name] = _column(path, name, values)
    return Raw(path, columns, blocks, called="line")


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        held = json.loads(line, object_pairs_hook=_once, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise refuse(path, f"line {number}: no JSON object ({' '.join(str(error).split())[:120]})") from None
    if not isinstance(held, dict):
        raise refuse(path, f"line {number}: {short(held)} is no object")
    found: dict[str, Any] = {}
    for name, value in held.items():
        if isinstance(value, dict):
            if name not in BY_CLASS:
                raise refuse(path, f"line {number}, {short(name)}: an object; text, a number or a list of numbers is expected")
            value = {BY_CLASS[name] + part: one for part, one in value.items()}
        found |= value if isinstance(value, dict) else {name: value}
    return found


def _block(path: Path, name: str, values: list[Any]) -> np.ndarray:
    width = len(values[0]) if isinstance(values[0], list) else -1
    for i, value in enumerate(values, 1):
        good = isinstance(value, list) and len(value) == width
        if not good or not all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in value):
            raise refuse(path, f"line {i}, {short(name)}: a list of {max(width, 0)} numbers is expected, as in line 1")
    return np.array(values, np.float64)


def _column(path: Path, name: str, values: list[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError, ValueError):
        kinds = {type(value).__name__ for value in values if value is not None}
        raise refuse(path, f"column {short(name)}: {', '.join(sorted(kinds))} mixed, or what no column can hold") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) < len(pairs):
        raise ValueError("a name is given twice")
    if any(len(name) > MOST_TEXT for name in held):
        raise ValueError("a name is too long")
    return held


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
