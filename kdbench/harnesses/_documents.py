"""What the built-in tasks share: documents of a file, in memory, and the configuration of lm-eval that asks about them."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kdbench import Refusal

MOST_BYTES = 256 * 2**20
CHARACTERS = 1_000_000
"""Of one field of a CSV file."""


class Documents(list[dict[str, Any]]):
    """Documents in the form in which lm-eval takes a data set: a list that knows the names of its fields."""

    @property
    def features(self) -> dict[str, None]:
        """The names of the fields."""
        return dict.fromkeys(self[0])


def place(root: Path | None, path: str) -> Path:
    """A file of the data folder, or an absolute path. Raises Refusal without a data folder."""
    if Path(path).is_absolute():
        return Path(path)
    if root is None:
        raise Refusal(f"{path} lies in the data folder: give --data DIR or set KDBENCH_DATA")
    return root / path


def read(root: Path | None, path: str) -> list[dict[str, Any]]:
    """The rows of a .parquet, .jsonl or .csv file (UTF-8, with a header). Raises Refusal, with the place."""
    file = place(root, path)
    form = {".parquet": _parquet, ".jsonl": _jsonl, ".csv": _csv}.get(file.suffix.lower())
    if form is None:
        raise Refusal(f"{file}: cannot read {file.suffix or 'a file without an ending'} (allowed: .parquet, .jsonl, .csv)")
    try:
        if not file.is_file() or file.stat().st_size > MOST_BYTES:
            raise Refusal(f"{file}: not a file of at most {MOST_BYTES} bytes")
        rows = form(file)
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror or 'cannot be read'}") from None
    if not rows:
        raise Refusal(f"{file}: has no rows")
    return rows


def field(rows: Sequence[Mapping[str, Any]], names: Sequence[str], where: str) -> None:
    """Refuse rows that lack one of these fields."""
    for number, row in enumerate(rows, 1):
        for name in names:
            if name not in row or row[name] is None:
                raise Refusal(f"{where}: row {number} has no {name!r} (it has {', '.join(map(str, list(row)[:12]))})")


def whole(row: Mapping[str, Any], name: str, most: int, where: str) -> int:
    """A cell that is the place of a choice, 0 .. most - 1."""
    text = str(row[name]).strip()
    if not text.isdecimal() or not text.isascii() or int(text) >= most:
        raise Refusal(f"{where}: {name} {text[:40]!r} is not the place of one of {most} choices (allowed: 0 to {most - 1})")
    return int(text)


def interleaved(rows: Sequence[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """The first of each level of a field, then the second of each, ...: the first documents then are of every kind."""
    seen: Counter[Any] = Counter()
    turns = []
    for at, row in enumerate(rows):
        turns.append((seen[row[key]], at))
        seen[row[key]] += 1
    return [rows[at] for _, at in sorted(turns)]


def task(name: str, rows: Sequence[dict[str, Any]], limit: int, about: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
    """A configuration of lm-eval in memory. about: what lm-eval has no word for (groups, cluster, id, right, classes); settings:
    lm-eval's own keys. limit: documents at most, 0 for all.
    """
    documents = Documents(rows[:limit] if limit else rows)
    if not documents:
        raise Refusal(f"{name}: no documents are left to ask about")
    return {
        "task": name,
        "test_split": "test",
        "custom_dataset": lambda **_: {"test": documents},
        "metadata": {"version": 1.0, "kdbench": dict(about)},
        **settings,
    }


def mean_of(*metrics: str, better: bool = True) -> list[dict[str, Any]]:
    """lm-eval's list of metrics that are means over the documents."""
    return [{"metric": name, "aggregation": "mean", "higher_is_better": better} for name in metrics]


def _parquet(file: Path) -> list[dict[str, Any]]:
    import pyarrow  # type: ignore[import-untyped]  # noqa: PLC0415 - only files of this form need it
    import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    try:
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(file).to_pylist()
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise Refusal(f"{file}: {' '.join(str(error).split())[:200]}") from None
    return rows


def _jsonl(file: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(_text(file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Refusal(f"{file}: line {number} is not JSON: {str(error)[:120]}") from None
        if not isinstance(row, dict):
            raise Refusal(f"{file}: line {number} holds {type(row).__name__}, not a mapping")
        rows.append(row)
    return rows


def _csv(file: Path) -> list[dict[str, Any]]:
    csv.field_size_limit(CHARACTERS)
    try:
        table = list(csv.reader(io.StringIO(_text(file)), strict=True))
    except csv.Error as error:
        raise Refusal(f"{file}: {error}") from None
    head, *rows = table or [[]]
    for number, row in enumerate(rows, 1):
        if len(row) != len(head):
            raise Refusal(f"{file}: row {number} has {len(row)} cells, the header {len(head)}")
    return [dict(zip(head, row, strict=True)) for row in rows]


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(f"{file}: byte {error.start} is not UTF-8") from None
