"""Reads clips of sound from a column of a Parquet file, and lays them into rows of equal length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdbench import Refusal
from kdbench.datasets._files import in_folder
from kdbench.datasets._sheet import Sheet

MOST_BYTES = 256 * 2**20
MOST_ROWS = 200_000
MOST_SAMPLES = 200_000_000


def read_clips(root: Path | None, name: str, column: str) -> list[np.ndarray]:
    """One clip a row: a list<int16> gives int16 samples, binary gives bytes (uint8). Sizes are looked at before anything is
    unpacked. Raises Refusal with the row of an empty clip or a missing one.
    """
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - only sets with sound need it
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    path = in_folder(root, name, MOST_BYTES)
    try:
        with pq.ParquetFile(path) as file:
            _check_size(path, column, file)
            kind = file.schema_arrow.field(column).type
        coded = [column] if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else []  # unpacked after they are counted
        with pq.ParquetFile(path, read_dictionary=coded) as file:
            values = file.read(columns=[column], use_threads=False).column(0).combine_chunks()
        clips = _samples(path, column, values, pa)
    except (pa.ArrowException, OSError, IndexError) as error:
        raise Refusal(f"{path}: not a readable Parquet file ({' '.join(str(error).split())[:120]})") from None
    for row, clip in enumerate(clips, 1):
        if not len(clip):
            raise Refusal(f"{path}: row {row}, column {column!r}: the clip is empty")
    return clips


def padded(clips: Sequence[np.ndarray], length: int) -> tuple[np.ndarray, int]:
    """int16 (n, length), each clip at the start of its row, zeros after it or its end cut off; and how many were cut."""
    if len(clips) * length > MOST_SAMPLES:
        raise Refusal(f"{len(clips)} clips of {length} samples; at most {MOST_SAMPLES} samples are held (allowed: fewer seconds)")
    out = np.zeros((len(clips), length), np.int16)
    for row, clip in zip(out, clips, strict=True):
        row[: len(clip)] = clip[:length]
    return out, sum(len(clip) > length for clip in clips)


def codes(sheet: Sheet, column: str, names: Sequence[str]) -> np.ndarray:
    """The place of each cell among `names`, int64 (n,). Raises Refusal with the row of a cell that is none of them."""
    place = {name: i for i, name in enumerate(names)}
    cells = sheet.column(column, "label")
    for row, cell in enumerate(cells, 1):
        if cell not in place:
            raise Refusal(f"{sheet.path}: row {row}, column {column!r}: {cell[:40]!r} (allowed: {', '.join(names)})")
    return np.array([place[cell] for cell in cells], np.int64)


def _check_size(path: Path, column: str, file: Any) -> None:
    facts = file.metadata
    if column not in file.schema_arrow.names:
        raise Refusal(f"{path}: no column {column!r} (the file has: {', '.join(file.schema_arrow.names[:20])})")
    if facts.num_rows > MOST_ROWS:
        raise Refusal(f"{path}: {facts.num_rows} rows; at most {MOST_ROWS} are read")
    groups = [facts.row_group(i) for i in range(facts.num_row_groups)]
    parts = [g.column(j) for g in groups for j in range(g.num_columns) if g.column(j).path_in_schema.split(".")[0] == column]
    values, unpacked = sum(part.num_values for part in parts), sum(part.total_uncompressed_size for part in parts)
    if values > MOST_SAMPLES or unpacked > 2 * MOST_SAMPLES:
        raise Refusal(f"{path}: column {column!r}: {values} values, {unpacked} bytes; at most {MOST_SAMPLES} samples are read")


def _samples(path: Path, column: str, values: Any, pa: Any) -> list[np.ndarray]:
    if values.null_count:
        row = values.is_null().to_pylist().index(True) + 1
        raise Refusal(f"{path}: row {row}, column {column!r}: no clip")
    kind = values.type
    if (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and pa.types.is_int16(kind.value_type):
        flat, ends = values.flatten(), np.cumsum(values.value_lengths().to_numpy())
        if flat.null_count:
            raise Refusal(f"{path}: column {column!r}: a clip has a sample without a value")
        return np.split(flat.to_numpy(), ends[:-1])
    if pa.types.is_dictionary(kind) and (pa.types.is_binary(kind.value_type) or pa.types.is_large_binary(kind.value_type)):
        held = [np.frombuffer(one, np.uint8) for one in values.dictionary.to_pylist()]
        clips = [held[i] for i in values.indices.to_pylist()]
        if sum(map(len, clips)) > MOST_SAMPLES:
            raise Refusal(f"{path}: column {column!r}: at most {MOST_SAMPLES} samples are read")
        return clips
    raise Refusal(f"{path}: column {column!r}: {kind} is no sound (allowed: lists of int16, or bytes)")
