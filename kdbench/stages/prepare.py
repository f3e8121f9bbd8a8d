"""What is fitted on the training rows, and on nothing else, to make raw rows ready for a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdbench.nouns import Json, Refusal

MANY_LEVELS = 100


@dataclass(frozen=True, slots=True)
class Prepared:
    """x: raw inputs, complete (missing numbers filled) and coded. prepare: goes into meta.json. levels: codes of each
    categorical column, 0 ("never seen in train") included.
    """

    x: Mapping[str, np.ndarray]
    prepare: Mapping[str, Json]
    levels: tuple[int, ...]
    notes: tuple[str, ...]


def fit(kind: str, x: Mapping[str, np.ndarray], train: np.ndarray, columns: Mapping[str, Sequence[str]]) -> Prepared:
    """Fit on the rows of the mask `train` (n,), apply to all. Image: mean and std of each channel, of pixels in 0..1;
    numbers: median for missing cells, mean and std (population; 1 where it is 0); categories: the sorted values of train are
    codes 1, 2, ...
    """
    if kind == "image":
        return Prepared(x, {"image": _pixels(x["image"][train])}, (), ())
    if kind != "table":
        return Prepared(x, {}, (), ())
    numeric, numbers, notes = _numbers(x["numeric"], train, columns.get("numeric", ()))
    codes, vocabularies, more = _codes(x["categorical"], train, columns.get("categorical", ()))
    levels = tuple(len(v) + 1 for v in vocabularies)
    prepare: dict[str, Any] = {"numeric": numbers, "categorical": vocabularies}
    return Prepared({"numeric": numeric, "categorical": codes}, prepare, levels, (*notes, *more))


def _pixels(image: np.ndarray) -> dict[str, Json]:
    """Exact sums from counts of the 256 values: the order of the rows changes no bit."""
    value = np.arange(256) / 255
    means, stds = [], []
    for channel in range(image.shape[1]):
        count = np.bincount(image[:, channel].ravel(), minlength=256)
        mean = float((count * value).sum() / count.sum())
        std = float(np.sqrt((count * (value - mean) ** 2).sum() / count.sum()))
        means.append(mean)
        stds.append(std or 1.0)
    return {"mean": list(means), "std": list(stds)}


def _numbers(raw: np.ndarray, train: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, dict[str, Json], list[str]]:
    missing = np.isnan(raw)
    notes = []
    filled = raw.copy()
    fill: list[Json] = []
    for j, name in enumerate(names):
        held = raw[train, j][~missing[train, j]]
        if not len(held):
            raise Refusal(f"data: column {name!r}: no train row has a value; leave it out")
        fill.append(float(np.median(held)))
        if missing[:, j].any():
            filled[missing[:, j], j] = fill[-1]
            notes.append(
                f"column {name!r}: {int(missing[:, j].sum())} missing numbers were filled with the median of train, {fill[-1]:g}"
            )
        if held.min() == held.max():
            notes.append(f"column {name!r} is constant in train ({held[0]:g}): it tells a model nothing")
    rows = filled[train].astype(np.float64)
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    std = np.where((rows.min(axis=0) == rows.max(axis=0)) | (std == 0), 1.0, std)
    return filled, {"mean": mean.tolist(), "std": std.tolist(), "fill": fill}, notes


def _codes(text: np.ndarray, train: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[list[str]], list[str]]:
    codes = np.zeros(text.shape, np.int64)
    vocabularies, notes = [], []
    for j, name in enumerate(names):
        known = np.unique(text[train, j])
        place = np.clip(np.searchsorted(known, text[:, j]), 0, len(known) - 1)
        codes[:, j] = np.where(known[place] == text[:, j], place + 1, 0)
        vocabularies.append(known.tolist())
        unseen = int((codes[:, j] == 0).sum())
        if unseen:
            notes.append(f"column {name!r}: {unseen} rows outside train have a value never seen in train (code 0)")
        if len(known) > max(MANY_LEVELS, int(train.sum()) // 2):
            notes.append(
                f"column {name!r} has {len(known)} different texts in {int(train.sum())} train rows: is it free text or an id?"
            )
        if len(known) == 1:
            notes.append(f"column {name!r} is constant in train: it tells a model nothing")
    return codes, vocabularies, notes
