"""Whether what a dataset plugin gave is what it must be: shapes, types, labels, ids, groups. Every refusal is one line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kdbench.nouns import Refusal, Samples
from kdbench.registry import nearest
from kdbench.stages import sound
from kdbench.stages.samples import INPUTS, SPLITS, Rows

MISSING = "(missing)"
NO_ROWS = "averages over classes leave it out, or count 0 where it is decided"
"""What is said of a class without rows; which of the two a metric does stands in its convention."""
MOST_GROUPS = 50
MOST_NUMERIC_GROUPS = 20
MOST_TEXT = 20_000_000
ANSWERS = ("class", "next", "text", "vector")
WANTED: Mapping[str, tuple[str, int]] = {
    "image": ("u1", 4), "numeric": ("f4", 2), "categorical": ("U", 2), "tokens": ("i8", 2), "text": ("O", 2), "audio": ("i2", 2),
}  # fmt: skip
"""The type and the number of dimensions of each input."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checked:
    """Samples that hold together. rows: still with text categories and NaN for missing numbers; split: text (n,) or None."""

    rows: Rows
    split: np.ndarray | None
    notes: tuple[str, ...]


def check(samples: Samples, groups: Sequence[str]) -> Checked:
    """Refuse what does not hold together. groups: the columns to keep; none given keeps all."""
    n = len(samples.y)
    if n == 0:
        raise Refusal("data: no rows")
    _inputs(samples, n)
    _labels(samples, n)
    _ids(samples.ids, n)
    columns, notes = grouped(samples.groups, groups, n)
    cluster = None if samples.cluster is None else _text(samples.cluster, n, "cluster")
    if cluster is not None and (cluster == "").any():
        raise Refusal(f"data: row {int((cluster == '').argmax()) + 1}: the cluster is empty; every row needs one")
    x = {name: np.ascontiguousarray(samples.x[name]) for name in INPUTS[samples.kind]}
    more = {} if samples.target is None else {"target": _target(samples, n)}
    rows = Rows(x, samples.y.astype(np.int64), samples.ids, columns, cluster, more)
    return Checked(rows, _split(samples.split, n), (*samples.notes, *notes))


def _inputs(samples: Samples, n: int) -> None:
    if samples.kind not in INPUTS:
        raise Refusal(f"data: kind {samples.kind!r}{nearest(samples.kind, tuple(INPUTS))}")
    if samples.answer not in ANSWERS:
        raise Refusal(f"data: answer {samples.answer!r}{nearest(samples.answer, ANSWERS)}")
    for name in INPUTS[samples.kind]:
        if name not in samples.x:
            raise Refusal(f"data: a {samples.kind} set must give the input {name!r} (has: {', '.join(samples.x) or 'none'})")
        value, (kind, dimensions) = samples.x[name], WANTED[name]
        text = value.dtype.kind == kind and kind in "UO"
        if value.ndim != dimensions or not (text or value.dtype.str[1:] == kind):
            raise Refusal(f"data: input {name!r} is {value.dtype} {value.shape}; {dimensions} dimensions of type {kind} expected")
        if len(value) != n:
            raise Refusal(f"data: input {name!r} has {len(value)} rows for {n} labels")
    _of_kind(samples)


def _of_kind(samples: Samples) -> None:
    if samples.kind == "table":
        _table(samples)
    if samples.kind == "audio":
        sound.check(samples)
    if samples.kind == "text":
        _sound(samples.x["text"], samples.ids, "text")
        if samples.x["text"].shape[1] not in (1, 2):
            raise Refusal(f"data: texts {samples.x['text'].shape}; one text a row, or two")


def _sound(value: np.ndarray, ids: np.ndarray, what: str) -> None:
    """Every element is a text that UTF-8 can hold."""
    for i, row in enumerate(value.tolist()):
        for text in row if isinstance(row, list) else (row,):
            if not isinstance(text, str):
                raise Refusal(f"data: row {i + 1}: {what} is {type(text).__name__}, not str")
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise Refusal(f"data: row {i + 1} ({str(ids[i])[:40]!r}): {what}: half a character at {error.start}") from None
            if len(text) > MOST_TEXT:
                raise Refusal(f"data: row {i + 1} ({str(ids[i])[:40]!r}): {what} of {len(text)} characters; at most {MOST_TEXT}")


def _target(samples: Samples, n: int) -> np.ndarray:
    """References of an answer in text, or the similarity of pairs."""
    value = np.asarray(samples.target)
    if value.shape != (n,):
        raise Refusal(f"data: target {value.shape}; ({n},) expected")
    if samples.answer == "text":
        _sound(value, samples.ids, "target")
        return value
    if samples.answer != "vector" or value.dtype.kind != "f" or not np.isfinite(value).all():
        raise Refusal(f"data: a target for the answer {samples.answer!r} ({value.dtype}); texts, or finite similarities of pairs")
    return value.astype(np.float64)


def _table(samples: Samples) -> None:
    for name in INPUTS["table"]:
        width, columns = samples.x[name].shape[1], samples.columns.get(name, ())
        if width != len(columns):
            raise Refusal(f"data: {width} {name} columns and {len(columns)} names for them")
    if not samples.x["numeric"].shape[1] + samples.x["categorical"].shape[1]:
        raise Refusal("data: a table without feature columns")
    wrong = np.argwhere(np.isinf(samples.x["numeric"]))
    if len(wrong):
        row, column = wrong[0]
        raise Refusal(f"data: row {row + 1}, column {samples.columns['numeric'][column]!r}: infinite; finite numbers expected")


def _labels(samples: Samples, n: int) -> None:
    y, classes = samples.y, samples.classes
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise Refusal(f"data: labels are {y.dtype} {y.shape}; whole numbers (n,) expected")
    if samples.answer != "class":
        if ((y < -1) | (y >= max(len(classes), 1))).any():
            raise Refusal(f"data: labels from {y.min()} to {y.max()} for {len(classes)} classes (-1 for none)")
        return
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise Refusal(f"data: classes {list(classes)[:5]}: at least two different classes are needed to compare models")
    wrong = np.flatnonzero((y < 0) | (y >= len(classes)))
    if len(wrong):
        raise Refusal(f"data: row {wrong[0] + 1}: label {y[wrong[0]]} (allowed: 0..{len(classes) - 1})")
    if samples.positive is not None and samples.positive not in classes:
        raise Refusal(f"data: positive class {samples.positive!r}{nearest(samples.positive, classes)}")


def _ids(ids: np.ndarray, n: int) -> None:
    values, counts = np.unique(_text(ids, n, "ids"), return_counts=True)
    if len(values) < n:
        rows = np.flatnonzero(ids == values[counts.argmax()]) + 1
        raise Refusal(
            f"data: id {str(values[counts.argmax()])[:60]!r} is given to rows {', '.join(map(str, rows[:5]))}; ids must differ"
        )


def _split(split: np.ndarray | None, n: int) -> np.ndarray | None:
    if split is None or (split == "").all():
        return None
    text = _text(split, n, "split")
    wrong = np.flatnonzero(~np.isin(text, SPLITS))
    if len(wrong):
        raise Refusal(f"data: row {wrong[0] + 1}: split {str(text[wrong[0]])[:40]!r} (allowed: {', '.join(SPLITS)})")
    return text


def grouped(given: Mapping[str, np.ndarray], wanted: Sequence[str], n: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Group columns of n rows, those of `wanted` or else all, in which a row without a value is of the group `MISSING`; notes.

    Raises Refusal for a column that is not there or has another number of rows, an id, and numbers that are in no bins.
    """
    kept: dict[str, np.ndarray] = {}
    notes: list[str] = []
    for name in wanted or given:
        if name not in given:
            raise Refusal(f"data: groups: no group column {name!r}{nearest(name, tuple(given))}")
        value = _text(given[name], n, f"group column {name!r}")
        levels, counts = np.unique(value, return_counts=True)
        _grouping(name, [str(v) for v in levels if v], n)
        if (value == "").any():
            notes.append(
                f"group column {name!r}: {int((value == '').sum())} of {n} rows have no value and form the group {MISSING}"
            )
            value = np.where(value == "", MISSING, value)
        if len(levels) == 1:
            notes.append(f"group column {name!r}: only one group, {str(levels[0])[:40]!r}: gaps are undefined")
        notes += [f"group column {name!r}: {note}" for note in near_names([str(v) for v in levels], "groups")]
        kept[name] = value
    return kept, notes


def _grouping(name: str, levels: list[str], n: int) -> None:
    numeric = bool(levels) and all(NUMBER.fullmatch(v) for v in levels)
    fractions = numeric and any(float(v) != int(float(v)) for v in levels if abs(float(v)) < 2**53)
    if numeric and len(levels) > (2 if fractions else MOST_NUMERIC_GROUPS):
        raise Refusal(f"data: group column {name!r} is continuous ({len(levels)} numbers); say bins, such as '18-39', '40-64'")
    if len(levels) > MOST_GROUPS or len(levels) == n:
        raise Refusal(f"data: group column {name!r} has {len(levels)} groups in {n} rows; at most {MOST_GROUPS}; is it an id?")


def near_names(names: Sequence[str], things: str) -> list[str]:
    """A note for every two names that differ only in case, spaces or the form of their characters. things: what has them."""
    seen: dict[str, str] = {}
    notes = []
    for name in names:
        same = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        if same in seen:
            notes.append(f"{seen[same][:40]!r} and {name[:40]!r} are two {things}; is one a misspelling?")
        seen.setdefault(same, name)
    return notes


def _text(value: np.ndarray, n: int, what: str) -> np.ndarray:
    if value.dtype.kind != "U" or value.shape != (n,):
        raise Refusal(f"data: {what}: {value.dtype} {value.shape}; text ({n},) expected")
    return value
