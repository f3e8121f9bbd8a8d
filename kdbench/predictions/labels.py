"""Classes by name: from a column of labels or decisions to places in a list of class names.

One rule for all formats: a label is the name of a class. Where no class is called by a whole number, a whole number is the
place of its class in the list (0, 1, ...). Files are joined by these names, never by the order of their columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from kdbench.predictions.layout import Layout, classes_said
from kdbench.tables.raw import MOST_TEXT, Raw, refuse, short

MOST_CLASSES = 20_000
WHOLE = re.compile(r"0|[1-9]\d{0,17}", re.ASCII)
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def texts(raw: Raw, name: str) -> tuple[list[str], np.ndarray]:
    """The distinct values of a column as text, and the place of each row's value among them, int64 (n,), -1 for none.

    Raises Refusal for a column of fractions or truth values, and for text that is too long.
    """
    column = raw.columns[name]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        hint = "; write 0 and 1, or names" if pa.types.is_boolean(kind) else "; a fraction would be cut"
        raise raw.wrong(f"{kind}; allowed: whole numbers and text{hint}", name)
    column = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    held = ["" if v is None else v for v in pc.cast(column.dictionary, pa.string()).to_pylist()]
    places = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    strange = next((v for v in held if len(v) > MOST_TEXT or "\0" in v), None)
    if strange is not None:
        row = int((places == held.index(strange)).argmax())
        raise raw.wrong(f"{len(strange)} characters, or a zero among them; at most {MOST_TEXT} are read", name, row)
    if "" in held:
        places = np.where(places == held.index(""), -1, places)
    return held, places


def classes_of(raw: Raw, layout: Layout, rows: np.ndarray) -> tuple[tuple[str, ...], str]:
    """The names of the classes in the order of the file's outputs, and a note where they were taken from the labels.

    rows: bool (n,), those whose label counts.
    """
    said, width = classes_said(raw), len(layout.outputs)
    if layout.named:
        if said and set(said) != set(layout.named):
            raise raw.wrong("metadata kdbench.classes names other classes than the columns do; leave it out")
        return _enough(raw, layout.named), ""
    if layout.kind == "decisions":
        return _enough(raw, said or _met(raw, ("label", "decision"), rows)), ""
    width = raw.blocks[layout.outputs[0]].shape[1]
    if said:
        if len(said) != width:
            raise raw.wrong(f"{width} numbers a row in {layout.outputs[0]!r}, and {len(said)} names in kdbench.classes")
        return _enough(raw, said), ""
    if not _is_text(raw, "label"):
        return _enough(raw, tuple(map(str, range(width)))), ""
    met = _met(raw, ("label",), rows)
    if len(met) != width or list(met) != sorted(met):
        why = f"{width} numbers a row in {layout.outputs[0]!r}, and the labels name {len(met)} classes"
        raise refuse(
            raw.path, f"{why}: which is which is not certain; say it in the metadata kdbench.classes, or use named columns"
        )
    return _enough(
        raw, met
    ), f"the classes were taken from the labels, sorted: {', '.join(met[:8])}{', ...' if width > 8 else ''}"


def decoded(raw: Raw, name: str, classes: Sequence[str], rows: np.ndarray) -> np.ndarray:
    """The class of each row, int64 (n,), -1 outside `rows` (bool (n,)). Raises Refusal with the row for what is no class."""
    held, places = texts(raw, name)
    place_of = {c: i for i, c in enumerate(classes)}
    by_place = not any(WHOLE.fullmatch(c) for c in classes)
    met = np.unique(places[rows])
    if by_place and all(WHOLE.fullmatch(held[p]) for p in met if p >= 0):
        place_of = {str(i): i for i in range(len(classes))}
    table = np.array([*(place_of.get(v, -1) for v in held), -1], dtype=np.int64)
    found = np.where(rows, table[places], -1)
    wrong = np.flatnonzero(rows & (found < 0))
    if len(wrong):
        row, value = int(wrong[0]), held[places[wrong[0]]] if places[wrong[0]] >= 0 else ""
        raise raw.wrong(f"{_why(value, classes)}{_more(len(wrong))}", name, row)
    return found


def _met(raw: Raw, names: Sequence[str], rows: np.ndarray) -> tuple[str, ...]:
    """The distinct values of some columns, sorted: as numbers where all are whole."""
    values: set[str] = set()
    for name in names:
        held, places = texts(raw, name)
        met = [held[p] for p in np.unique(places[rows]) if p >= 0]
        if len(met) > MOST_CLASSES:
            raise raw.wrong(f"{len(met)} different values; at most {MOST_CLASSES} classes are read", name)
        for value in met:
            if NUMBER.fullmatch(value) and not WHOLE.fullmatch(value):
                row = int((rows & (places == held.index(value))).argmax())
                raise raw.wrong(f"{_why(value, ())}", name, row)
        values.update(met)
    whole = all(WHOLE.fullmatch(v) for v in values)
    return tuple(sorted(values, key=int) if whole else sorted(values))


def _why(value: str, classes: Sequence[str]) -> str:
    allowed = (
        f"allowed: {', '.join(map(short, classes[:6]))}{', ...' if len(classes) > 6 else ''}"
        if classes
        else "0, 1, 2, ... or names"
    )
    if not value:
        return f"empty; every row of test and validation needs one ({allowed})"
    if value.startswith("-") and WHOLE.fullmatch(value[1:]):
        return f"found {value}, which elsewhere means 'no label' or counts from the end ({allowed})"
    if NUMBER.fullmatch(value) and not WHOLE.fullmatch(value):
        return f"found {short(value)}, which is not a whole number ({allowed})"
    return f"found {short(value)}, which is not one of the {len(classes)} classes ({allowed})"


def _more(count: int) -> str:
    return f"; {count} such rows" if count > 1 else ""


def _enough(raw: Raw, classes: tuple[str, ...]) -> tuple[str, ...]:
    if len(classes) == 1:
        hint = "; for two classes write both, [0, z] or [1 - p, p]" if raw.blocks or "decision" not in raw.columns else ""
        raise raw.wrong(f"one class only, {short(classes[0])} (n, 1); at least two are needed{hint}")
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise raw.wrong(f"{len(classes)} classes; 2 to {MOST_CLASSES} are read")
    return classes


def _is_text(raw: Raw, name: str) -> bool:
    column = raw.columns[name]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def positive_of(raw: Raw, classes: Sequence[str]) -> str:
    """The class that a decision in favour means, as the metadata say; "" for none. Raises Refusal for one that is no class."""
    name = raw.meta.get("kdbench.positive", "")
    if name and name not in classes:
        raise raw.wrong(f"metadata kdbench.positive: {_why(name, classes)}")
    return name
