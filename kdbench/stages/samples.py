"""The entries that hold examples: what the stages data, shift and ood write, and everybody else reads.

Arrays are stored raw (uint8 pixels, numbers in their own units, codes) and made ready for a model when read, with what
was fitted on train: `meta.json` -> prepare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kdbench.nouns import Refusal, Shape, canonical, group_file
from kdbench.stages import hearing, sound, texts
from kdbench.store import Draft, Entry

SPLITS = ("train", "validation", "test")
INPUTS: Mapping[str, tuple[str, ...]] = {
    "image": ("image",), "table": ("numeric", "categorical"), "tokens": ("tokens",),
    "text": ("text",), "questions": (), "audio": ("audio",),
}  # fmt: skip
"""The inputs of a model, by kind of data, in the order of its arguments; after them comes the "prefix" of an answer in text."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some examples. x: name -> array (n, ...), C-contiguous; y int64 (n,); ids text (n,); groups: column -> text (n,);
    cluster: text (n,) or None. more: what else is known of them, arrays (n, ...) or texts: of tokens `bytes` and `truncated`, the
    `target` of an answer in text or of a pair.
    """

    x: Mapping[str, np.ndarray]
    y: np.ndarray
    ids: np.ndarray
    groups: Mapping[str, np.ndarray]
    cluster: np.ndarray | None = None
    more: Mapping[str, np.ndarray] = field(default_factory=dict)

    def take(self, index: np.ndarray) -> Rows:
        """The rows of an index or a mask."""
        return Rows(
            {k: v[index] for k, v in self.x.items()},
            self.y[index],
            self.ids[index],
            {k: v[index] for k, v in self.groups.items()},
            None if self.cluster is None else self.cluster[index],
            {k: v[index] for k, v in self.more.items()},
        )


def read(entry: Entry, split: str) -> Rows:
    """The rows of a split, ready for a model: images float32, per-channel standardised; numbers float32, standardised;
    codes and tokens int64. Their order is that of the stored arrays, the same for every reader.
    """
    rows = raw(entry, split)
    prepare = entry.json("meta.json")["prepare"]
    return replace(rows, x={name: ready(name, value, prepare) for name, value in rows.x.items()})


def raw(entry: Entry, split: str) -> Rows:
    """The rows of a split as stored: image uint8 (n, c, h, w), numeric float32 (n, p), categorical int64 (n, q), tokens int64,
    text an object array of str, audio int16 (n, samples).
    """
    if split not in SPLITS:
        raise Refusal(f"no split {split!r} (allowed: {', '.join(SPLITS)})")
    meta = entry.json("meta.json")
    index = np.flatnonzero(entry.array("split.npy") == SPLITS.index(split))
    return Rows(
        {name: np.ascontiguousarray(_stored(entry, f"x.{name}")[index]) for name in inputs(meta)},
        np.asarray(entry.array("y.npy")[index]),
        np.asarray(entry.array("ids.npy")[index]),
        {name: np.asarray(entry.array(group_file(name))[index]) for name in meta["groups"]},
        np.asarray(entry.array("cluster.npy")[index]) if meta["clustered"] else None,
        {name: _stored(entry, f"more.{name}")[index] for name in meta.get("more", ())},
    )


def inputs(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the inputs of an entry, in the order of a model's arguments: JSON objects are read back sorted by name."""
    known = INPUTS[meta["kind"]]
    return (*known, *(name for name in meta["inputs"] if name not in known))


def _stored(entry: Entry, name: str) -> np.ndarray:
    return entry.array(f"{name}.npy") if f"{name}.npy" in entry.names() else texts.read(entry, name)


def _store(draft: Draft, name: str, value: np.ndarray) -> None:
    if texts.is_text(value):
        texts.write(draft, name, value)
    else:
        draft.array(f"{name}.npy", value)


def ready(name: str, value: np.ndarray, prepare: Mapping[str, Any]) -> np.ndarray:
    """One raw input as the model takes it: (v / 255 - mean) / std for images, (v - mean) / std for numbers."""
    if name == "text":
        return value
    if name == "audio":
        return hearing.ready(value, prepare[name]) if "chunk" in prepare[name] else sound.ready(value, prepare[name])
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
    levels, answer = tuple(meta["levels"]), meta.get("answer", "class")
    classes = {"class": len(meta["classes"]), "vector": 0}.get(answer, levels[0] if levels else 0)
    sizes = {name: tuple(meta["inputs"][name]["shape"]) for name in inputs(meta)}
    if "audio" in sizes:
        front = meta["prepare"]["audio"]
        sizes["audio"] = (hearing if "chunk" in front else sound).size(sizes["audio"][0], front)
    return Shape(meta["kind"], sizes, classes, levels, answer, meta.get("padding", 0), meta.get("separator", -1))


def write(draft: Draft, rows: Rows, split: np.ndarray, meta: Mapping[str, Any]) -> None:
    """Write raw rows as an entry. Adds what follows from the rows: inputs, n, groups, clustered, content."""
    test = split == SPLITS.index("test")
    for name, value in rows.x.items():
        _store(draft, f"x.{name}", value)
    for name, value in rows.more.items():
        _store(draft, f"more.{name}", value)
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
        "more": sorted(rows.more),
        "content": content(rows, split, meta["classes"]),
    }
    draft.json("meta.json", {**meta, **found})


def content(rows: Rows, split: np.ndarray, classes: Sequence[str]) -> str:
    """The sha256 of the arrays: names, types, shapes and bytes. Text counts by its characters, not by the width of its array."""
    seen = hashlib.sha256(canonical(list(classes)).encode())
    arrays = {**{f"x.{k}": v for k, v in rows.x.items()}, **{f"group.{k}": v for k, v in rows.groups.items()}}
    arrays |= {f"more.{k}": v for k, v in rows.more.items()}
    arrays |= {"y": rows.y, "ids": rows.ids, "split": split} | ({} if rows.cluster is None else {"cluster": rows.cluster})
    for name, value in sorted(arrays.items()):
        text = value.dtype.kind in "UO"
        seen.update(canonical([name, "text" if text else str(value.dtype), list(value.shape)]).encode())
        seen.update(canonical(value.tolist()).encode() if text else np.ascontiguousarray(value).data)
    return seen.hexdigest()
