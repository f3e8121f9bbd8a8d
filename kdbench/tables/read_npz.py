"""NPZ: arrays by name, text as numpy text. Objects are never unpickled, and sizes are read before memory is asked for."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from kdbench.nouns import canonical
from kdbench.tables.raw import MOST_BYTES, MOST_TEXT, Raw, check_names, check_size, load, refuse


def read_npz(path: Path) -> Raw:
    """The arrays of an NPZ file as columns, by the same names as in Parquet. `kdbench.*` arrays are what it says of itself."""
    try:
        with zipfile.ZipFile(io.BytesIO(load(path))) as archive:
            inside = archive.infolist()
            unpacked = sum(one.file_size for one in inside)
            if unpacked > MOST_BYTES:
                raise refuse(path, f"{unpacked} bytes when unpacked; at most {MOST_BYTES} are read")
            check_names(path, tuple(one.filename.removesuffix(".npy") for one in inside))
            held = {one.filename.removesuffix(".npy"): _array(path, one.filename, archive.read(one)) for one in inside}
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError) as error:
        raise refuse(path, f"not a readable NPZ file ({' '.join(str(error).split())[:120]})") from None
    meta = {name: _said(path, name, held.pop(name)) for name in [*held] if name.startswith("kdbench.")}
    if not held:
        raise refuse(path, "empty; columns and rows are expected")
    lengths = {name: len(value) for name, value in held.items() if value.ndim}
    n = lengths.get("id", next(iter(lengths.values()), 0))
    for name, value in held.items():
        if value.ndim not in (1, 2) or len(value) != n:
            raise refuse(
                path, f"{name!r} has the shape {value.shape}; ({n},) or ({n}, classes) is expected, as `id` has {n} rows"
            )
    check_size(path, n, sum(value.size for value in held.values()))
    try:
        columns = {name: pa.array(value) for name, value in held.items() if value.ndim == 1}
    except UnicodeEncodeError as error:
        raise refuse(path, f"text that no UTF-8 file can hold ({error.reason})") from None
    return Raw(path, columns, {name: value for name, value in held.items() if value.ndim == 2}, meta)


def _array(path: Path, name: str, data: bytes) -> np.ndarray:
    """One member: its header first, so that no shape asks for more memory than the file has bytes."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if header is None:
            raise ValueError(f"version {version}")
        shape, fortran, dtype = header(file)
    except ValueError as error:
        raise refuse(path, f"{name!r} is not a numpy array ({' '.join(str(error).split())[:80]})") from None
    if dtype.hasobject:
        raise refuse(path, f"{name!r} holds Python objects, which are never unpickled; save text as array.astype('U')")
    if dtype.kind not in "Uiufb":
        raise refuse(path, f"{name!r} is {dtype}; allowed: text ('U'), whole numbers and floats")
    if dtype.kind == "U" and dtype.itemsize > 4 * MOST_TEXT:
        raise refuse(path, f"{name!r} holds text of up to {dtype.itemsize // 4} characters; at most {MOST_TEXT} are read")
    body = data[file.tell() :]
    if math.prod(shape) * dtype.itemsize != len(body):
        raise refuse(path, f"{name!r} says {shape} of {dtype}, and {len(body)} bytes follow; the file is damaged")
    array = np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")
    if array.dtype.kind == "U" and array.size and (array.view(np.uint32) > 0x10FFFF).any():
        raise refuse(path, f"{name!r} is not text")
    return array.astype(array.dtype.newbyteorder("="))


def _said(path: Path, name: str, value: np.ndarray) -> str:
    if value.dtype.kind not in "Ui" or value.ndim > 1:
        raise refuse(path, f"{name!r} is {value.dtype} {value.shape}; text, or a list of texts, is expected")
    return str(value) if value.ndim == 0 else canonical([str(one) for one in value])
