"""Stored predictions written as files in the public format, so that anyone can judge them again."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from kdbench import files
from kdbench.nouns import Cell, Plan, Task, canonical, group_file
from kdbench.store import Entry, Missing, Store

COLUMN = {"logits": "logits", "probabilities": "probabilities", "decisions": "decision", "values": "value"}


def export(task: Task, plan: Plan, store: Store, folder: Path, only: str = "") -> Iterator[Path]:
    """Write one Parquet file for each contender and target of a task (`only`: of that contender): all sets and seeds of it.

    Cells that the store has nothing for are left out, and so are tokens, texts and vectors, for which the format has no column.
    Gives the path of each file as it is written.
    """
    seats: dict[tuple[str, str], list[Cell]] = {}
    for cell in plan.cells:
        if cell.task == task.name and cell.evidence == "predictions" and cell.key and only in ("", cell.contender):
            seats.setdefault((cell.target, cell.contender), []).append(cell)
    for (target, contender), cells in seats.items():
        held = [(cell, entry) for cell in cells if (entry := _open(store, cell.key)) is not None and _kind(entry) in COLUMN]
        if not any(cell.split == "test" and not cell.shift for cell, _ in held):
            continue
        path = folder / _plain(task.name) / _plain(target) / f"{_plain(contender)}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = store.open(plan.job(_clean(cells).key).needs["data"])
        files.replace(path, _parquet(held, data, {"task": task.name, "contender": contender, "target": target}))
        yield path


def _kind(entry: Entry) -> str:
    return str(entry.json("predictions.json").get("kind", "logits"))


def _clean(cells: Sequence[Cell]) -> Cell:
    return next(cell for cell in cells if cell.split == "test" and not cell.shift)


def _open(store: Store, key: str) -> Entry | None:
    try:
        return store.open(key)
    except Missing:
        return None


def _plain(name: str) -> str:
    """A name as that of a file or folder."""
    return re.sub(r"[^\w.+ -]", "_", name).lstrip(".") or "_"


def _parquet(held: Sequence[tuple[Cell, Entry]], data: Entry, said: Mapping[str, str]) -> bytes:
    """The file of one contender: its sets below each other, in the order of the plan."""
    meta = data.json("meta.json")
    about = _About(data, meta)
    parts = [_part(cell, entry, about) for cell, entry in held]
    kind = _kind(held[0][1])
    facts = {"format": "1", "kind": kind, **said}
    if meta["classes"]:
        facts["classes"] = canonical(list(meta["classes"]))
    if "harness" in meta:
        facts["harness"] = canonical(meta["harness"])
    if meta.get("positive") is not None:
        facts["positive"] = str(meta["classes"][meta["positive"]])
    table = pa.concat_tables(parts).unify_dictionaries().replace_schema_metadata({f"kdbench.{k}": v for k, v in facts.items()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


class _About:
    """What the samples say of each example: its groups and cluster, looked up by id."""

    def __init__(self, data: Entry, meta: Mapping[str, Any]) -> None:
        self.classes = np.array([str(c) for c in meta["classes"]], dtype=np.str_)
        self.groups = {name: np.asarray(data.array(group_file(name))) for name in meta["groups"]}
        self.cluster = np.asarray(data.array("cluster.npy")) if meta.get("clustered") else None
        ids, split = np.asarray(data.array("ids.npy")), np.asarray(data.array("split.npy"))
        self._rows = {name: np.flatnonzero(split == code) for name, code in (("validation", 1), ("test", 2))}
        self._ids = {name: ids[rows] for name, rows in self._rows.items()}

    def rows(self, split: str, ids: np.ndarray) -> np.ndarray:
        """The places of these ids of a split, -1 for one that the samples do not have."""
        known = self._ids[split]
        if np.array_equal(known, ids):
            return self._rows[split]
        order = np.argsort(known, kind="stable")
        place = np.minimum(np.searchsorted(known[order], ids), max(len(known) - 1, 0))
        return np.where(known[order][place] == ids, self._rows[split][order][place], -1) if len(known) else np.full(len(ids), -1)


def _part(cell: Cell, entry: Entry, about: _About) -> Any:
    """The rows of one set and seed."""
    held = entry.arrays("predictions.npz")
    kind = _kind(entry)
    foreign, n = cell.shift.startswith("ood:"), len(held["ids"])
    label = held["label"]
    columns: dict[str, Any] = {"id": pa.array(held["ids"])}
    columns["label"] = pa.array(label) if kind == "values" else _named(about.classes, np.where(foreign, -1, label))
    columns[COLUMN[kind]] = _answers(kind, held, about.classes)
    columns["split"] = pa.array(np.full(n, cell.shift if foreign else cell.split)).dictionary_encode()
    columns["shift"] = pa.array(np.full(n, "" if foreign else cell.shift)).dictionary_encode()
    columns["severity"] = pa.array([None if foreign or not cell.shift else cell.severity] * n, pa.int64())
    columns["seed"] = pa.array(np.full(n, cell.seed))
    rows = np.full(n, -1) if foreign else about.rows(cell.split, held["ids"])
    for name, text in {**about.groups, **({} if about.cluster is None else {"": about.cluster})}.items():
        values = np.where(rows < 0, "", text[rows])
        columns[f"group.{name}" if name else "cluster"] = pa.array(values).dictionary_encode()
    return pa.table(columns)


def _named(classes: np.ndarray, code: np.ndarray) -> Any:
    names = pa.array(classes)
    return pa.DictionaryArray.from_arrays(pa.array(code, pa.int64(), mask=code < 0), names)


def _answers(kind: str, held: Mapping[str, np.ndarray], classes: np.ndarray) -> Any:
    logits = held["logits"]
    if kind == "values":
        return pa.array(logits[:, 0])
    if kind == "decisions":
        return _named(classes, held["pred"])
    numbers = held.get("probability", np.exp(logits.astype(np.float64))) if kind == "probabilities" else logits
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(numbers).ravel()), logits.shape[1])
