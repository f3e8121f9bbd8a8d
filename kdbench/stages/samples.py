"""The entries that hold examples: what the stages data, shift and ood write, and everybody else reads.

Arrays are stored raw (uint8 pixels, numbers in their own units, codes) and made ready for a model when read, with what
was fitted on train: `meta.json` -> prepare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kdbench.nouns import Refusal, Shape, canonical, group_file
from kdbench.store import Draft, Entry

SPLITS = ("train", "validation", "test")
INPUTS: Mapping[str, tuple[str, ...]] = {"image": ("image",), "table": ("numeric", "categorical"), "tokens": ("tokens",)}
"""The inputs of a model, by kind of data, in the order of its arguments."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some examples. x: name -> array (n, ...), C-contiguous; y int64 (n,); ids text (n,); groups: column -> text (n,);
    cluster: text (n,) or None.
    """

    x: Mapping[str, np.ndarray]
    y: np.ndarray
    ids: np.ndarray
    groups: Mapping[str, np.ndarray]
    cluster: np.ndarray | None = None

    def take(self, index: np.ndarray) -> Rows:
        """The rows of an index or a mask."""
        return Rows(
            {k: v[index] for k, v in self.x.items()},
            self.y[index],
            self.ids[index],
            {k: v[index] for k, v in self.groups.items()},
            None if self.cluster is None else self.cluster[index],
        )


def read(entry: Entry, split: str) -> Rows:
    """The rows of a split, ready for a model: images float32, per-channel standardised; numbers float32, standardised;
    codes and tokens int64. Their order is that of the stored arrays, the same for every reader.
    """
    rows = raw(entry, split)
    prepare = entry.json("meta.json")["prepare"]
    return replace(rows, x={name: ready(name, value, prepare) for name, value in rows.x.items()})


def raw(entry: Entry, split: str) -> Rows:
    """The rows of a split as stored: image uint8 (n, c, h, w), numeric float32 (n, p), categorical int64 (n, q), tokens int64."""
    if split not in SPLITS:
        raise Refusal(f"no split {split!r} (allowed: {', '.join(SPLITS)})")
    meta = entry.json("meta.json")
    index = np.flatnonzero(entry.array("split.npy") == SPLITS.index(split))
    return Rows(
        {name: np.ascontiguousarray(entry.array(f"x.{name}.npy")[index]) for name in INPUTS[meta["kind"]]},
        np.asarray(entry.array("y.npy")[index]),
        np.asarray(entry.array("ids.npy")[index]),
        {name: np.asarray(entry.array(group_file(name))[index]) for name in meta["groups"]},
        np.asarray(entry.array("cluster.npy")[index]) if meta["clustered"] else None,
    )


def ready(name: str, value: np.ndarray, prepare: Mapping[str, Any]) -> np.ndarray:
    """One raw input as the model takes it: (v / 255 - mean) / std for images, (v - mean) / std for numbers."""
    if name not in ("image", "numeric"):
        return np.ascontiguousarray(value, np.int64)
    mean, std = (np.asarray(prepare[name][k], np.float32) for k in ("mean", "std"))
    if name == "image":
        mean, std = (255 * mean)[:, None, None], (255 * std)[:, None, None]
    out = value.astype(np.float32)
    out -= mean
    out /= std
    return out


def shape(entry: Entry) -> Shape:
    """What a model for these examples must take and give."""
    meta = entry.json("meta.json")
    inputs = {name: tuple(meta["inputs"][name]["shape"]) for name in INPUTS[meta["kind"]]}
    return Shape(meta["kind"], inputs, len(meta["classes"]), tuple(meta["levels"]))


def write(draft: Draft, rows: Rows, split: np.ndarray, meta: Mapping[str, Any]) -> None:
    """Write raw rows as an entry. Adds what follows from the rows: inputs, n, groups, clustered, content."""
    test = split == SPLITS.index("test")
    for name, value in rows.x.items():
        draft.array(f"x.{name}.npy", value)
    draft.array("y.npy", rows.y.astype(np.int64))
    draft.array("ids.npy", rows.ids)
    draft.array("split.npy", split.astype(np.int8))
    for name, value in rows.groups.items():
        draft.array(group_file(name), value)
    if rows.cluster is not None:
        draft.array("cluster.npy", rows.cluster)
    found = {
        "inputs": {name: {"dtype": str(v.dtype), "shape": list(v.shape[1:])} for name, v in rows.x.items()},
        "n": {name: int((split == i).sum()) for i, name in enumerate(SPLITS)},
        "groups": {name: {str(g): int((v[test] == g).sum()) for g in np.unique(v)} for name, v in rows.groups.items()},
        "clustered": rows.cluster is not None,
        "content": content(rows, split, meta["classes"]),
    }
    draft.json("meta.json", {**meta, **found})


def content(rows: Rows, split: np.ndarray, classes: Sequence[str]) -> str:
    """The sha256 of the arrays: names, types, shapes and bytes. Text counts by its characters, not by the width of its array."""
    seen = hashlib.sha256(canonical(list(classes)).encode())
    arrays = {**{f"x.{k}": v for k, v in rows.x.items()}, **{f"group.{k}": v for k, v in rows.groups.items()}}
    arrays |= {"y": rows.y, "ids": rows.ids, "split": split} | ({} if rows.cluster is None else {"cluster": rows.cluster})
    for name, value in sorted(arrays.items()):
        text = value.dtype.kind == "U"
        seen.update(canonical([name, "text" if text else str(value.dtype), list(value.shape)]).encode())
        seen.update(canonical(value.tolist()).encode() if text else np.ascontiguousarray(value).data)
    return seen.hexdigest()
