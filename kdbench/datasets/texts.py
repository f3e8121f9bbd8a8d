"""Your own texts: a CSV, Parquet or JSONL file with a text, or two, and a label on each row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from kdbench import Samples, dataset
from kdbench.datasets._cells import splits
from kdbench.datasets._jsonl import read_jsonl
from kdbench.datasets._roles import Roles
from kdbench.datasets._sheet import read_sheet
from kdbench.datasets._text import MOST_TEXT


@dataset(kind="text", files=("{path}",), groups=("*",), answer="{answer}")
def texts(  # noqa: PLR0913 - each is a key that the user may set
    root: Path | None,
    *,
    path: str,
    text: str = "text",
    pair: str = "",
    label: str = "label",
    target: str = "",
    answer: Literal["class", "next", "text", "vector"] = "class",
    classes: list[str] | None = None,
    groups: list[str] | None = None,
    positive: str = "",
    split: str = "",
    id: str = "",
    cluster: str = "",
    alike: bool = False,
    licence: str = "not stated",
) -> Samples:
    """Texts with a class, a reference or a similarity, or free text. "NA", "None", "007" are texts; nothing is trimmed.

    path: a .csv (UTF-8, commas), .parquet or .jsonl file (an object a line), in the data folder or absolute. text, pair: the
    columns with the text, and with the second text of a pair. answer: what is asked: the "class" in the column `label`; the
    "next" token, where each row is a document; a "text", whose reference is in the column `target`; or a "vector" (then `target`
    is the similarity of a pair, or texts of one `label` mean the same). classes: the labels in the order of their numbers (by
    default sorted), so that a model of another set can be asked. positive: the class that is a decision in favour.
    groups: columns whose results are compared. split: a column of train, validation, test (by default kdbench splits). id: a
    column of unique texts (by default the row number). cluster: a column, e.g. an author, whose rows stay together. alike: say
    true where different records may have equal texts, so that equal rows are no copies.
    """
    named = Roles(text, pair, label, target, answer, groups or (), id, cluster, classes or (), positive)
    wanted = list(dict.fromkeys([*named.columns(), *([split] if split else [])]))
    read = read_jsonl if path.endswith(".jsonl") else read_sheet
    sheet = read(root, path, wanted, MOST_TEXT)
    return replace(named.samples(sheet, splits(sheet, split) if split else None, licence, path), alike=alike)
