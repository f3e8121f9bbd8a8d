"""Parquet: the reference format. Sizes are read from the footer before anything is unpacked."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from kdbench.tables.raw import MOST_BYTES, Raw, check_names, check_size, load, refuse

INDEX = "__index_level_"
"""How the names of a pandas index begin: it is not a column that anyone wrote."""


def read_parquet(path: Path) -> Raw:
    """The columns of a Parquet file: text, whole numbers, floats, and lists of K floats. Raises Refusal."""
    data = load(path)
    try:
        with pq.ParquetFile(io.BytesIO(data)) as file:
            schema, facts = file.schema_arrow, file.metadata
            names = [name for name in schema.names if not name.startswith(INDEX)]
            check_names(path, tuple(names))
            groups = [facts.row_group(i) for i in range(facts.num_row_groups)]
            unpacked = sum(group.total_byte_size for group in groups)
            if unpacked > MOST_BYTES:
                raise refuse(path, f"{unpacked} bytes when unpacked; at most {MOST_BYTES} are read")
            check_size(path, facts.num_rows, sum(g.column(j).num_values for g in groups for j in range(g.num_columns)))
        # text stays a dictionary while reading: 20 MB of codes may stand for 100 GB of text
        text = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        with pq.ParquetFile(io.BytesIO(data), read_dictionary=text) as file:
            table = file.read(columns=names, use_threads=False)
        held = {name: column.combine_chunks() for name, column in zip(table.column_names, table.columns, strict=True)}
        for name in text:
            if name in held:
                held[name].dictionary.validate(full=True)  # UTF-8, which the reader does not look at
    except (pa.ArrowException, OSError, UnicodeDecodeError, IndexError, KeyError) as error:
        raise refuse(path, f"not a readable Parquet file ({' '.join(str(error).split())[:120]})") from None
    lists = {name: column for name, column in held.items() if _is_list(column.type)}
    blocks = {name: _block(path, name, column) for name, column in lists.items()}
    return Raw(path, {k: _flat(path, k, v) for k, v in held.items() if k not in lists}, blocks, _meta(schema.metadata))


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _flat(path: Path, name: str, column: Any) -> Any:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    good = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    if not any(is_one(kind) for is_one in (*good, pa.types.is_null)):
        raise refuse(path, f"column {name!r}: {kind} is not read; allowed: text, whole numbers, floats, and lists of floats")
    return column


def _block(path: Path, name: str, column: Any) -> np.ndarray:
    """(n, K) of a list column whose rows are equally long and whole."""
    if not (pa.types.is_floating(column.type.value_type) or pa.types.is_integer(column.type.value_type)):
        raise refuse(path, f"column {name!r}: a list of {column.type.value_type}; a list of floats is expected")
    if column.null_count:
        row = int(np.flatnonzero(np.asarray(column.is_null()))[0])
        raise refuse(path, f"row {row + 1}, column {name!r}: empty; every row needs its list of numbers")
    if pa.types.is_fixed_size_list(column.type):
        width = column.type.list_size
    else:
        lengths = np.diff(np.asarray(column.offsets))
        width = int(lengths[0])
        if (lengths != width).any():
            row = int((lengths != width).argmax())
            raise refuse(
                path, f"row {row + 1}, column {name!r}: {lengths[row]} numbers, and {width} in row 1; one for each class"
            )
    values = column.flatten()
    if values.null_count:
        row = int(np.flatnonzero(np.asarray(values.is_null()))[0]) // max(width, 1)
        raise refuse(path, f"row {row + 1}, column {name!r}: {values.null_count} numbers are missing; every class needs one")
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(len(column), width)


def _meta(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    held = {k.decode("utf-8", "replace"): v.decode("utf-8", "replace") for k, v in (metadata or {}).items()}
    return {k: v for k, v in held.items() if k.startswith("kdbench.")}
