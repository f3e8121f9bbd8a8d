"""Your own free text: a .txt file, or a folder of them, as documents for language models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from kdbench import Refusal, Samples, dataset
from kdbench.datasets._files import in_folder
from kdbench.datasets._sheet import MOST_BYTES, decode
from kdbench.datasets._text import documents

MOST_DOCUMENTS = 1_000_000
LONGEST_LINE = 2**27


@dataset(kind="text", files=("{path}",), answer="next")
def text_files(
    root: Path | None,
    *,
    path: str,
    separator: str = "",
    split: Literal["drawn", "test"] = "drawn",
    licence: str = "not stated",
) -> Samples:
    """Free text from a .txt file (UTF-8), or from all .txt files that lie directly in a folder, in the order of their names.

    separator: what stands between two documents and belongs to none, e.g. a blank line, a line break (each line is a
    document) or "<|endoftext|>"; none: each file is one document. split: "drawn" lets kdbench draw whole documents; "test" makes
    all of them test rows, to score models of other text. Nothing is trimmed; pieces of white space only are no documents.
    """
    held: list[str] = []
    names: list[str] = []
    for file in _listed(root, path):
        text = decode(file, LONGEST_LINE)
        pieces = [piece for piece in (text.split(separator) if separator else [text]) if piece.strip()]
        held += pieces
        names += [f"{file.name}-{i:05d}" for i in range(len(pieces))] if separator else [file.name] * len(pieces)
        if len(held) > MOST_DOCUMENTS:
            raise Refusal(
                f"{file}: more than {MOST_DOCUMENTS} documents with the separator {separator[:20]!r}; at most that many"
            )
    if not held:
        raise Refusal(f"{path}: nothing but white space; a text is expected")
    if split == "drawn" and len(held) < 3:
        raise Refusal(f"{path}: {len(held)} document; give a `separator` that makes three or more, so that a split can be drawn")
    parts = np.full(len(held), "test") if split == "test" else None
    return documents(held, np.array(names), parts, licence, path)


def _listed(root: Path | None, name: str) -> list[Path]:
    """The files: one, or those of a folder. Raises Refusal."""
    place = Path(name) if root is None else root / name
    if not place.is_dir():
        return [in_folder(root, name, MOST_BYTES)]
    found = sorted(file for file in place.iterdir() if file.suffix == ".txt")
    if not found:
        raise Refusal(f"{place}: the folder holds no .txt file")
    read = [in_folder(None, str(file.absolute()), MOST_BYTES) for file in found]
    total = sum(file.stat().st_size for file in read)
    if total > MOST_BYTES:
        raise Refusal(f"{place}: {total} bytes in {len(read)} files; at most {MOST_BYTES} are read")
    return read
