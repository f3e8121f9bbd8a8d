"""The test rows of a task, shifted by a plugin, stored like any other rows.

Images reach the plugin as float32 in 0..1 and are stored back as uint8 (rounded), as a camera or a file would. Tables reach it
standardised, so that a severity means the same for every column, and are stored back in their own units. Sound reaches it as
float32 in -1..1 and is stored back as int16, rounded, what is too loud clipped.

The random stream depends on the shift and on the data, not on the contender: all meet the same shifted inputs. It does not
depend on the severity either: the same noise grows, so that a curve over severities shows the severity and not the draw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kdbench.nouns import Job, Refusal, canonical
from kdbench.signature import Description
from kdbench.stages import Place, sound
from kdbench.stages.samples import SPLITS, Rows, raw, ready, write
from kdbench.store import Draft, Entry

SEVERITIES = (1, 2, 3, 4, 5)


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: shift {name, params}, severity (1..5). Reads `data`; writes its test rows, shifted, with the same labels and ids."""
    spec: Mapping[str, Any] = job.spec
    use, severity, data = spec["shift"], spec["severity"], inputs["data"]
    meta = data.json("meta.json")
    description = place.plugins.get("shift", use["name"])
    kinds = description.facts.get("kinds", ())
    if meta["kind"] not in kinds:
        raise Refusal(f"shift {use['name']!r} is for {' and '.join(kinds)}, not for {meta['kind']} data")
    if severity not in SEVERITIES:
        raise Refusal(f"shift {use['name']!r}: severity {severity!r} (allowed: 1, 2, 3, 4, 5)")
    plugin, _ = place.plugins.load("shift", use["name"])
    seed = hashlib.sha256(canonical([use["name"], meta["content"]]).encode()).digest()
    evidence = {
        "severity": severity,
        "rng": np.random.default_rng(int.from_bytes(seed[:16], "big")),
        "columns": {k: tuple(v) for k, v in meta["columns"].items()},
    }
    rows = raw(data, "test")
    given = _to_plugin(rows, meta)
    asked = {name: value for name, value in evidence.items() if name in description.evidence}
    shifted = plugin(given, **asked, **use["params"])
    rows = replace(rows, x=_from_plugin(shifted, rows, meta, description))
    note = f"test rows shifted by {use['name']}, severity {severity}"
    write(draft, rows, np.full(len(rows.y), SPLITS.index("test")), {**meta, "notes": [*meta["notes"], note]})


def _to_plugin(rows: Rows, meta: Mapping[str, Any]) -> Any:
    if meta["kind"] == "image":
        return rows.x["image"].astype(np.float32) / np.float32(255)
    if meta["kind"] == "text":
        return rows.x["text"].copy()
    if meta["kind"] == "audio":
        return sound.to_plugin(rows.x["audio"])
    return {name: ready(name, value, meta["prepare"]) for name, value in rows.x.items()}


def _from_plugin(shifted: Any, rows: Rows, meta: Mapping[str, Any], plugin: Description) -> dict[str, np.ndarray]:
    """Raw inputs again. Raises Refusal for what no model can be given: other shapes, NaN, codes that do not exist."""
    parts: Mapping[str, np.ndarray] = {meta["kind"]: shifted} if meta["kind"] in ("image", "text", "audio") else shifted
    out = {}
    for name, before in rows.x.items():
        value = np.asarray(parts[name])
        if value.shape != before.shape:
            raise Refusal(f"shift {plugin.name!r} gave {name} of shape {value.shape} for {before.shape}")
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise Refusal(f"shift {plugin.name!r} gave {int((~np.isfinite(value)).sum())} values of {name} that are not finite")
        out[name] = _raw(name, value, meta)
    return out


def _raw(name: str, value: np.ndarray, meta: Mapping[str, Any]) -> np.ndarray:
    if name == "image":
        return np.asarray(np.rint(np.clip(value, 0, 1) * 255), np.uint8)
    if name == "text":
        if not all(isinstance(text, str) for text in value.ravel().tolist()):
            raise Refusal("a shift gave something else than texts")
        return value
    if name == "audio":
        return sound.to_stored(value)
    if name == "numeric":
        mean, std = (np.asarray(meta["prepare"]["numeric"][k], np.float64) for k in ("mean", "std"))
        return np.asarray(value * std + mean, np.float32)
    codes: np.ndarray = value.astype(np.int64)
    if name == "categorical" and codes.size and ((codes < 0) | (codes >= np.asarray(meta["levels"]))).any():
        raise Refusal(f"a shift gave codes outside the {len(meta['levels'])} columns' levels {meta['levels'][:20]}")
    return codes
