"""Reads files of one JSON object a line as text, strictly: numbers are kept as they are written, doubtful lines are refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from kdbench import Refusal
from kdbench.datasets._files import in_folder
from kdbench.datasets._sheet import MOST_BYTES, MOST_CELLS, Sheet, check_text, decode

WORDS = {True: "true", False: "false", None: ""}


class _Number(str):
    """A number as it is written: 2**53 + 1 and 1e400 stay what they are."""

    __slots__ = ()


def read_jsonl(root: Path | None, name: str, wanted: Sequence[str], most_text: int) -> Sheet:
    """These keys of a .jsonl file in UTF-8, as columns of text; null is "". Raises Refusal with the line.

    Refused: a line that is no object or holds more after it, a key given twice, NaN and Infinity, a wanted key that is absent or
    holds a list or an object, half of a surrogate pair, a blank line. Keys that nobody asked for may differ from line to line.
    """
    path = in_folder(root, name, MOST_BYTES)
    lines = decode(path, 16 * most_text).split("\n")  # not splitlines: U+2028 may stand in a text
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise Refusal(f"{path}: empty; one JSON object on each line is expected")
    if len(lines) * len(wanted) > MOST_CELLS:
        raise Refusal(f"{path}: {len(lines)} lines; at most {MOST_CELLS} cells are read")
    columns: dict[str, list[str]] = {key: [] for key in wanted}
    for number, line in enumerate(lines, 1):
        held = _object(path, number, line)
        for key, column in columns.items():
            column.append(_cell(path, number, key, held))
    for key, column in columns.items():
        check_text(path, key, column, most_text)
    return Sheet(path, columns)


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        held = json.loads(line, object_pairs_hook=_pairs, parse_int=_Number, parse_float=_Number, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise Refusal(f"{path}: line {number}, column {error.colno}: no JSON object ({error.msg})") from None
    except ValueError as error:
        raise Refusal(f"{path}: line {number}: {error}") from None
    except RecursionError:
        raise Refusal(f"{path}: line {number}: nested too deeply") from None
    if not isinstance(held, dict):
        raise Refusal(f'{path}: line {number}: {line[:40]!r} is no object; {{"text": ...}} is expected on each line')
    return held


def _cell(path: Path, number: int, key: str, held: dict[str, Any]) -> str:
    if key not in held:
        return Sheet(path, dict.fromkeys(held, ()) or {"(none)": ()}).column(key, f"line {number}")[
            0
        ]  # refuses, with the nearest
    value = held[key]
    if not isinstance(value, (str, bool, type(None))):
        raise Refusal(f"{path}: line {number}, key {key!r}: a {type(value).__name__} is no text; write a string or a number")
    text = value if isinstance(value, str) else WORDS[value]
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise Refusal(f"{path}: line {number}, key {key!r}: half of a surrogate pair; the text was cut inside a character")
    return str(text)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:40]!r} is given twice")
    return held


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON; write null, or a string")
