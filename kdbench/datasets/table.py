"""Your own data: a CSV or Parquet file with a label, feature and group columns."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from kdbench import Refusal, Samples, dataset
from kdbench.datasets._cells import labels, looks_numeric, numbering, numbers, plain, splits, texts
from kdbench.datasets._sheet import Sheet, read_sheet


@dataset(kind="table", files=("{path}",), groups=("*",))
def table(  # noqa: PLR0913 - each is a key that the user may set
    root: Path | None,
    *,
    path: str,
    label: str,
    features: list[str] | None = None,
    categorical: list[str] | None = None,
    groups: list[str] | None = None,
    use_groups: bool = True,
    positive: str = "",
    split: str = "",
    id: str = "",
    cluster: str = "",
    missing: Literal["refuse", "impute"] = "refuse",
    alike: bool = False,
    licence: str = "not stated",
) -> Samples:
    """Any table with a class label. Text is kept as it is: "NA", "None" and "007" are values, an empty cell is missing.

    path: a .csv (UTF-8, commas) or .parquet file, in the data folder or absolute. label: the column with the class.
    features: columns that the model may see; by default all others (group columns too, unless `use_groups` is false).
    categorical: which features are categories; by default those where at most half of the cells are numbers; the rest must
    be finite numbers. missing: an empty number is refused, or "impute"d with the median of train (and noted); an empty
    category is a level of its own. groups: columns whose results are compared. positive: the class that is a decision in favour.
    split: a column of train, validation, test (by default kdbench splits: stratified, copies of a row on one side).
    id: a column of unique texts (by default the row number). cluster: a column, e.g. a person, whose rows stay together.
    alike: say true where different records may have equal features, so that equal rows are no copies.
    """
    sheet, grouped = read_sheet(root, path), groups or []
    roles = {"label": label, "split": split, "id": id, "cluster": cluster}
    numeric, text = _features(sheet, features, categorical, _taken(sheet, roles, grouped), [] if use_groups else grouped)
    x = {"numeric": numbers(sheet, numeric, missing == "impute"), "categorical": texts(sheet, text)}
    y, classes = _labels(sheet, label, positive)
    ids = plain(sheet, id) if id else np.array([str(i + 1) for i in range(sheet.rows)])
    held = {g: plain(sheet, g) for g in grouped}
    parts = splits(sheet, split) if split else None
    whole = plain(sheet, cluster) if cluster else None
    columns = {"numeric": tuple(numeric), "categorical": tuple(text)}
    named = (classes, licence, path, held, parts, whole, columns, positive or None, alike, numbering(classes))
    return Samples("table", x, y, ids, *named)


def _taken(sheet: Sheet, roles: dict[str, str], groups: list[str]) -> dict[str, str]:
    """The columns that a model must not see, with their roles. Raises Refusal for a column that is not there."""
    taken = {name: role for role, name in roles.items() if name or role == "label"}
    for name, role in (*taken.items(), *((g, "groups") for g in groups)):
        sheet.column(name, role)
    return taken


def _features(
    sheet: Sheet, features: list[str] | None, categorical: list[str] | None, taken: dict[str, str], hidden: list[str]
) -> tuple[list[str], list[str]]:
    """The numeric and the categorical features."""
    chosen = [c for c in sheet.columns if c not in taken and c not in hidden] if features is None else features
    _check_features(sheet, chosen, categorical or [], taken)
    text = [c for c in chosen if not looks_numeric(sheet.column(c, "features"))] if categorical is None else categorical
    return [c for c in chosen if c not in text], text


def _labels(sheet: Sheet, label: str, positive: str) -> tuple[np.ndarray, tuple[str, ...]]:
    y, classes = labels(sheet, label)
    if positive and positive not in classes:
        raise Refusal(f"{sheet.path}: positive: no label {positive!r} (allowed: {', '.join(map(repr, classes[:20]))})")
    return y, classes


def _check_features(sheet: Sheet, chosen: list[str], categorical: list[str], taken: dict[str, str]) -> None:
    if not chosen:
        raise Refusal(f"{sheet.path}: features: none are left beside the label, split, id and cluster columns")
    for name in chosen:
        sheet.column(name, "features")
        if name in taken:
            raise Refusal(f"{sheet.path}: features: {name!r} is the {taken[name]} column; a model must not see it")
    if len(set(chosen)) < len(chosen):
        raise Refusal(f"{sheet.path}: features: {next(c for c in chosen if chosen.count(c) > 1)!r} is listed twice")
    for name in categorical:
        if name not in chosen:
            raise Refusal(f"{sheet.path}: categorical: {name!r} is not one of the features ({', '.join(map(repr, chosen[:20]))})")
