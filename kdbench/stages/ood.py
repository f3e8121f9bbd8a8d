"""Test rows of another dataset, brought to the shape that a model of this one takes; their labels mean nothing here (-1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kdbench.nouns import Job, Refusal
from kdbench.registry import nearest
from kdbench.stages import Place, sound
from kdbench.stages.samples import SPLITS, Rows, raw, write
from kdbench.store import Draft, Entry

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of R, G and B in a grey value: ITU-R BT.601, as in most image libraries."""
KEPT = ("kind", "answer", "classes", "positive", "columns", "levels", "prepare", "padding", "rate")
"""What stays as the task's own data have it."""


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads `data` (whose shape, classes and preparation hold) and `other`; writes the test rows of `other` with y = -1.

    Images: grey <-> RGB, bilinear resize (with area support when shrinking, so that fine stripes do not alias), uint8.
    Tables: columns matched by name, values of categories that `data` never saw in train become code 0. A table that lacks a
    column is refused: a made-up value would be what the detector detects.
    """
    del job, place
    data, other = inputs["data"], inputs["other"]
    here, there = data.json("meta.json"), other.json("meta.json")
    if here["kind"] != there["kind"]:
        raise Refusal(f"ood: {there['kind']} data cannot lie outside {here['kind']} data; choose a dataset of the same kind")
    rows = raw(other, "test")
    n = len(rows.y)
    kept = {k: here[k] for k in KEPT if k in here}
    meta = {**kept, "licence": there["licence"], "source": there["source"], "notes": [*there["notes"], *_said(here, there)]}
    rows = Rows(brought(rows.x, here, there), np.full(n, -1, np.int64), rows.ids, {}, rows.cluster)
    write(draft, rows, np.full(n, SPLITS.index("test")), meta)


def brought(x: Mapping[str, np.ndarray], here: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Raw inputs of a dataset `there` as a model for `here` takes them (meta.json of both). Raises Refusal where it cannot."""
    if here["kind"] == "image":
        channels, height, width = here["inputs"]["image"]["shape"]
        return {"image": resized(_channels(x["image"], channels), height, width)}
    if here["kind"] == "table":
        return _columns(x, here, there)
    if here["kind"] == "audio":
        front = here["prepare"]["audio"]
        return {"audio": sound.outside(x["audio"], there["prepare"]["audio"], here["inputs"]["audio"]["shape"][0], front)}
    return _alike(x, here)


def _said(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """What was done to bring the rows here, where that is more than another size of a picture."""
    if here["kind"] != "audio":
        return []
    width, other = (meta["inputs"]["audio"]["shape"][0] for meta in (here, there))
    return [sound.said(there["prepare"]["audio"], other, here["prepare"]["audio"], width)]


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 (n, c, h, w) -> uint8 (n, c, height, width), bilinear, half-pixel centres."""
    if image.shape[2:] == (height, width):
        return image
    down, across = _weights(image.shape[2], height), _weights(image.shape[3], width)
    out = np.empty((*image.shape[:2], height, width), np.uint8)
    for start in range(0, len(image), 1024):
        part = image[start : start + 1024].astype(np.float64)
        out[start : start + 1024] = np.rint(np.clip(down @ part @ across.T, 0, 255))
    return out


def _weights(old: int, new: int) -> np.ndarray:
    """(new, old) triangle weights; wider than a pixel where the image shrinks. Rows sum to 1."""
    scale = old / new
    centre = (np.arange(new) + 0.5) * scale - 0.5
    away = np.abs(np.arange(old)[None] - np.clip(centre, 0, old - 1)[:, None]) / max(scale, 1.0)
    weight = np.maximum(0.0, 1.0 - away)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _channels(image: np.ndarray, wanted: int) -> np.ndarray:
    have = image.shape[1]
    if have == wanted:
        return image
    if have == 1:
        return np.repeat(image, wanted, axis=1)
    if have == 3 and wanted == 1:
        return np.rint(np.tensordot(image, LUMINANCE, axes=([1], [0]))[:, None]).astype(np.uint8)
    raise Refusal(f"ood: images of {have} channels cannot become images of {wanted}; 1 and 3 can")


def _columns(x: Mapping[str, np.ndarray], here: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, np.ndarray]:
    names = there["columns"]
    numeric = x["numeric"][:, [_place(c, names["numeric"], "numeric") for c in here["columns"]["numeric"]]]
    codes = np.zeros((len(numeric), len(here["columns"]["categorical"])), np.int64)
    for j, name in enumerate(here["columns"]["categorical"]):
        place = _place(name, names["categorical"], "categorical")
        mine = {value: code for code, value in enumerate(here["prepare"]["categorical"][j], 1)}
        table = np.array([0, *(mine.get(value, 0) for value in there["prepare"]["categorical"][place])])
        codes[:, j] = table[x["categorical"][:, place]]
    return {"numeric": np.ascontiguousarray(numeric), "categorical": codes}


def _place(name: str, names: Sequence[str], kind: str) -> int:
    if name not in names:
        raise Refusal(f"ood: the other table has no {kind} column {name!r}{nearest(name, names)}")
    return list(names).index(name)


def _alike(x: Mapping[str, np.ndarray], here: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Texts and tokens have no other form: rows of another width are refused."""
    for name, value in x.items():
        wanted = here["inputs"][name]["shape"]
        if list(value.shape[1:]) != list(wanted):
            raise Refusal(f"ood: {name} rows of {value.shape[1]}; rows of {wanted[0]} expected")
    return dict(x)
