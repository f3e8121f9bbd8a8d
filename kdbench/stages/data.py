"""A dataset made ready for the whole task: checked, split, limited, cleaned of leaks, prepared with what train says.

    plugin -> check -> split (unless given) -> leak check -> limits -> classes -> prepare -> entry

What a reader of the results should know about the data, but what is no reason to stop, goes into `notes` of meta.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kdbench.nouns import Job, Refusal, Samples
from kdbench.registry import nearest
from kdbench.stages import Place, sound
from kdbench.stages.checks import NO_ROWS, Checked, check, near_names
from kdbench.stages.leaks import ceiling, coarse, near_copies, same_inputs, settle
from kdbench.stages.prepare import Prepared, fit
from kdbench.stages.samples import SPLITS, write
from kdbench.stages.splits import LEFT_OUT, TEST, TRAIN, assign, limit
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: dataset {name, params}, limit {split: rows}, validation (share of train), groups, allow_leak, seed, and role: "home"
    where models train on it; "ood" and "probe" where they only meet its test rows, which of a probe without splits are all.
    """
    del inputs
    spec: Mapping[str, Any] = job.spec
    use = spec["dataset"]
    plugin, _ = place.plugins.load("dataset", use["name"])
    samples = plugin(place.data, **use["params"])
    if not isinstance(samples, Samples):
        raise Refusal(f"dataset {use['name']!r} gave {type(samples).__name__}; kdbench.Samples expected")
    checked = check(samples, spec.get("groups", ()))
    same = same_inputs(checked.rows.x)
    split, notes = _split(checked, samples, same, spec)
    if samples.answer == "class":
        if spec["role"] == "home":
            notes += [*near_names(samples.classes, "classes"), *_classes(checked.rows.y, split, samples.classes)]
        notes += ceiling(split, same, checked.rows.y)
    train = split == TRAIN
    seen = train if train.any() else split == TEST
    if samples.kind == "audio":
        ready = sound.fit(samples, checked.rows.x["audio"], seen)
    else:
        ready = fit(samples.kind, checked.rows.x, seen, samples.columns)
    if samples.kind == "table":
        notes += _tells(ready, checked.rows.y, split == TRAIN, samples.columns)
        if not samples.alike:
            notes += near_copies(split, checked.rows.x, same, np.asarray(ready.prepare["numeric"]["std"]))  # type: ignore[index, call-overload]
    kept = split != LEFT_OUT
    rows = replace(checked.rows, x=ready.x).take(kept)
    meta = {
        "kind": samples.kind,
        "answer": samples.answer,
        "classes": samples.classes,
        "positive": None if samples.positive is None else samples.classes.index(samples.positive),
        "columns": {name: list(samples.columns.get(name, ())) for name in ("numeric", "categorical")},
        "levels": ready.levels,
        "prepare": ready.prepare,
        "licence": samples.licence,
        "source": samples.source,
        "notes": [*checked.notes, *notes, *ready.notes],
    }
    write(draft, rows, split[kept], meta)


def _split(checked: Checked, samples: Samples, same: np.ndarray, spec: Mapping[str, Any]) -> tuple[np.ndarray, list[str]]:
    """Codes (n,) of the split, -1 for rows left out, and notes. Where kdbench splits, copies stay on one side."""
    rows, seed = checked.rows, int(spec.get("seed", 0))
    notes: list[str] = []
    most = dict(spec.get("limit", {}))
    if spec["role"] != "home" and (checked.split is not None or spec["role"] == "probe"):
        test = np.ones(len(rows.y), bool) if checked.split is None else checked.split == "test"
        if not test.any():
            raise Refusal("data: no test rows; only those are asked of models that were trained elsewhere")
        return limit(np.where(test, TEST, LEFT_OUT), rows.y, rows.ids, rows.cluster, most, seed), notes
    cluster, alike = rows.cluster, samples.alike or coarse(samples.kind, same)
    copies = len(rows.y) - len(np.unique(same))
    if checked.split is None and cluster is None and copies and not alike:
        cluster = same.astype("U")
        notes.append(f"{copies} rows have the same input as an earlier row; equal rows stay on one side of the split")
    validation = float(spec.get("validation", 0))
    split = assign(rows.y, rows.ids, cluster, checked.split, validation, seed)
    split, leaks = settle(split, same, rows.ids, alike, int(spec.get("allow_leak", 0)))
    if "train" in most and "validation" not in most and (checked.split is None or not (checked.split == "validation").any()):
        most["validation"] = max(len(samples.classes), round(most["train"] * validation / (1 - validation)))
    unknown = [name for name in most if name not in SPLITS]
    if unknown:
        raise Refusal(f"data: limit: no split {unknown[0]!r}{nearest(unknown[0], SPLITS)}")
    return limit(split, rows.y, rows.ids, rows.cluster, most, seed), notes + leaks


def _classes(y: np.ndarray, split: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """Refuse a class that cannot be learned; note one that cannot be tested."""
    train, test = (np.bincount(y[split == code], minlength=len(classes)) for code in (TRAIN, TEST))
    for code in np.flatnonzero((train == 0) & (test > 0)):
        raise Refusal(f"data: class {classes[code][:60]!r} has {test[code]} test rows and no train row; no model can know it")
    if (train > 0).sum() < 2:
        raise Refusal(f"data: train holds one class only, {classes[int(train.argmax())][:60]!r}; at least two are needed")
    absent = [classes[code][:60] for code in np.flatnonzero(test == 0)]
    return [f"no test row has the class {name!r}: {NO_ROWS}" for name in absent[:20]]


def _tells(ready: Prepared, y: np.ndarray, train: np.ndarray, columns: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Notes on columns that say the label: in train, one value for each class and one class for each value."""
    notes = []
    for name in ("numeric", "categorical"):
        for j, column in enumerate(columns.get(name, ())):
            value = ready.x[name][train, j]
            levels = np.unique(value[:10_000])
            if len(levels) <= len(np.unique(y[train])):
                pairs = np.unique(np.stack([np.unique(value, return_inverse=True)[1], y[train]]), axis=1)
                if pairs.shape[1] == len(np.unique(value)) == len(np.unique(y[train])):
                    notes.append(f"column {column!r} says the label exactly: was it recorded after the outcome?")
    return notes
