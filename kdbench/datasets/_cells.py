"""Turns the text cells of a sheet into numbers, text arrays and labels, with the row and the column in every refusal."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from kdbench import Refusal
from kdbench.datasets._sheet import Sheet

MISSING = "(missing)"
SPLITS = ("train", "validation", "test")
MOST_TEXT_BYTES = 2**30
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
NOT_FINITE = re.compile(r"\s*[+-]?(nan|inf|infinity)\s*", re.IGNORECASE)
COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*", re.ASCII)


def looks_numeric(values: Sequence[str]) -> bool:
    """Whether more than half of the cells that are not empty are numbers (nan and inf count: they are then refused)."""
    held = [v for v in values if v]
    return 2 * sum(1 for v in held if NUMBER.fullmatch(v) or NOT_FINITE.fullmatch(v)) > len(held)


def numbers(sheet: Sheet, names: Sequence[str], impute: bool = False) -> np.ndarray:
    """Columns as float32 (n, len(names)). An empty cell is NaN where `impute`; else it is refused, like what is not finite."""
    out = np.empty((sheet.rows, len(names)), np.float32)
    for j, name in enumerate(names):
        values = sheet.column(name, "feature")
        for row, value in enumerate(values, 1):
            if not (NUMBER.fullmatch(value) or (impute and not value)):
                raise Refusal(f"{sheet.path}: row {row}, column {name!r}: {_why(value)}")
        wide = np.array([v or "nan" for v in values]).astype(np.float64)
        with np.errstate(over="ignore"):
            out[:, j] = wide
        large = np.isinf(out[:, j])
        if large.any():
            row = int(large.argmax())
            raise Refusal(f"{sheet.path}: row {row + 1}, column {name!r}: {values[row][:40]} is too large for float32 (3.4e38)")
        if np.isnan(out[:, j]).all():
            raise Refusal(f"{sheet.path}: column {name!r}: every cell is empty; leave it out of `features`")
    return out


def texts(sheet: Sheet, names: Sequence[str]) -> np.ndarray:
    """Columns as text (n, len(names)); an empty cell is the level "(missing)". Refuses decimal commas: numbers gone wrong."""
    columns = []
    for name in names:
        values = sheet.column(name, "feature")
        held = [v for v in values if v]
        if held and all(COMMA.fullmatch(v) for v in held):
            raise Refusal(
                f"{sheet.path}: row 1, column {name!r}: {held[0]!r} has a decimal comma; write {held[0].replace(',', '.')}"
            )
        columns.append(np.array([v or MISSING for v in fitting(sheet, name, values)]))
    return np.stack(columns, axis=1) if columns else np.empty((sheet.rows, 0), "<U1")


def fitting(sheet: Sheet, name: str, values: Sequence[str]) -> Sequence[str]:
    """The values, if they fit in memory as a fixed-width text array. Raises Refusal."""
    longest = max(map(len, values))
    if 4 * longest * len(values) > MOST_TEXT_BYTES:
        raise Refusal(f"{sheet.path}: column {name!r}: texts of up to {longest} characters in {len(values)} rows; shorten them")
    return values


def labels(sheet: Sheet, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(y int64 (n,), classes). Classes are the distinct texts, sorted (as numbers if all are whole numbers).

    Refused: an empty label; a negative number, which elsewhere means "no label" (torch ignores -100) or counts from the end;
    a fraction, which a cast to integers would silently cut.
    """
    values = fitting(sheet, name, sheet.column(name, "label"))
    for row, value in enumerate(values, 1):
        if not value:
            raise Refusal(f"{sheet.path}: row {row}, column {name!r}: the label is empty; fill it in or drop the row")
        if NUMBER.fullmatch(value) and not re.fullmatch(r"\d+", value, re.ASCII):
            kind = "negative" if re.fullmatch(r"-\d+", value, re.ASCII) else "not a whole number"
            raise Refusal(f"{sheet.path}: row {row}, column {name!r}: label {value!r} is {kind}; allowed: 0, 1, 2, ... or names")
    found = set(values)
    whole = all(re.fullmatch(r"\d+", v, re.ASCII) for v in found)
    classes = tuple(sorted(found, key=lambda v: (int(v), v))) if whole else tuple(sorted(found))
    index = {label: i for i, label in enumerate(classes)}
    return np.array([index[v] for v in values], np.int64), classes


def numbering(classes: tuple[str, ...]) -> tuple[str, ...]:
    """A note where classes are numbers and not their own index."""
    if not all(c.isdigit() for c in classes) or classes == tuple(map(str, range(len(classes)))):
        return ()
    return (f"labels are numbered in sorted order: {', '.join(f'{c} is class {i}' for i, c in enumerate(classes[:20]))}",)


def plain(sheet: Sheet, name: str) -> np.ndarray:
    """A column as text (n,)."""
    return np.array(fitting(sheet, name, sheet.column(name, name)))


def splits(sheet: Sheet, name: str) -> np.ndarray:
    """A column that says the split of each row. Raises Refusal for any word but train, validation and test."""
    values = sheet.column(name, "split")
    for row, value in enumerate(values, 1):
        if value not in SPLITS:
            raise Refusal(f"{sheet.path}: row {row}, column {name!r}: split {value[:40]!r} (allowed: {', '.join(SPLITS)})")
    return np.array(values)


def bands(age: np.ndarray, edges: Sequence[int]) -> np.ndarray:
    """Ages in bands, as text: edges (25, 45) give "under 25", "25-44", "45 and over"."""
    names = [f"under {edges[0]}", *(f"{a}-{b - 1}" for a, b in zip(edges, edges[1:], strict=False)), f"{edges[-1]} and over"]
    return np.array(names)[np.searchsorted(np.asarray(edges), age, side="right")]


def _why(value: str) -> str:
    if not value:
        return "the cell is empty; fill it in, or say `missing: impute`"
    if COMMA.fullmatch(value):
        return f"{value!r} has a decimal comma; write {value.replace(',', '.')}"
    return f"{value[:40]!r} is not a finite number; mend it, or list the column under `categorical`"
