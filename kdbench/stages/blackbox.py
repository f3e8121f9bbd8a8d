"""Teachers of whom only answers are known: a file of labels, probabilities, logits or texts by example id (an API, an ensemble
elsewhere, people). Nothing is joined by order: not the examples, which have ids, and not the classes, which have names.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from kdbench.nouns import Artefact, Refusal, Shape
from kdbench.registry import nearest
from kdbench.stages.running import npz
from kdbench.stages.texts import column
from kdbench.tables.raw import Raw, refuse, short
from kdbench.tables.read_csv import read_csv
from kdbench.tables.read_jsonl import read_jsonl
from kdbench.tables.read_npz import read_npz
from kdbench.tables.read_parquet import read_parquet

RUNTIME, ANSWERS = "predictions", "predictions.npz"
READERS = {".csv": read_csv, ".parquet": read_parquet, ".npz": read_npz, ".jsonl": read_jsonl}
BY_CLASS = {"probability.": "probabilities", "logit.": "logits"}
TOLERANCE = 1e-3
"""How far a row of probabilities may sum from 1: four digits stay within it."""
FLOOR = 1e-6
"""The least probability whose logarithm is taken: an API rounds, and its 0 is not the end of the world."""
SMOOTHING = 0.01
"""The probability that a label leaves to all other classes together."""


def is_answers(path: Path) -> bool:
    """Whether `load` takes this path for a file of answers: a file by its ending, where a folder would hold a model."""
    return path.suffix.lower() in READERS and not path.is_dir()


def open_answers(path: Path, shape: Shape, classes: Sequence[str]) -> Artefact:
    """A file of answers as an artefact of runtime "predictions".

    Columns: `id`, and one kind of answer: `probability.<class>` or `logit.<class>` for each class; lists `probabilities` or
    `logits` whose metadata kdbench.classes names the classes; `decision` (or, alone, `label`), the name of a class; or `text`.
    Other columns are not read. What is kept are logits in the order of `classes`: of probabilities log max(p, 1e-6), of a label
    log 0.99 for it and log(0.01 / (K - 1)) for the others.

    Raises Refusal, in one line with the place: an id that is empty or stands twice, a class that the data do not have or the
    file leaves out, probabilities outside of 0..1 or that do not sum to 1, NaN.
    """
    if not is_answers(path):
        raise refuse(path, f"a file of answers ends in {', '.join(READERS)}; a model is a folder")
    raw = READERS[path.suffix.lower()](path)
    ids = _ids(raw)
    kind, names = _kind(raw)
    held: dict[str, np.ndarray]
    facts: dict[str, Any] = {"classes": list(classes), "made_elsewhere": True, "answers": kind, "rows": len(ids)}
    if kind == "texts":
        texts = _texts(raw, "text")
        data = [text.encode() for text in texts]
        held = {"utf8": np.frombuffer(b"".join(data), np.uint8), "ends": np.cumsum([len(part) for part in data], dtype=np.int64)}
    elif kind == "labels":
        facts["smoothing"] = SMOOTHING
        held = {"logits": _of_labels(raw, names[0], classes)}
    else:
        numbers = _numbers(raw, names, classes)
        if kind == "probabilities":
            facts["floor"] = FLOOR
            _check_sums(raw, numbers, names[0])
            numbers = np.log(np.maximum(numbers, FLOOR))
        elif (numbers >= 0).all() and (np.abs(numbers.sum(axis=1) - 1) <= TOLERANCE).all():
            raise raw.wrong("every row lies in 0..1 and sums to 1: these are probabilities; call them so", names[0])
        held = {"logits": numbers.astype(np.float32)}
    facts["notes"] = [_note(kind, len(ids))]
    return Artefact(RUNTIME, shape, None, None, (), {ANSWERS: npz({"ids": ids, **held})}, facts)


def logits_of(artefact: Artefact, ids: np.ndarray) -> np.ndarray:
    """What the teacher said about these examples: logits float32 (n, classes). Raises Refusal where it wrote texts, and for an id
    that its file does not have.
    """
    held = _held(artefact)
    if "logits" not in held:
        raise Refusal("the teacher's file holds texts, and here it must tell classes apart")
    return np.asarray(held["logits"][_places(held["ids"], ids)])


def texts_of(artefact: Artefact, ids: np.ndarray) -> np.ndarray:
    """What the teacher wrote about these examples: an object array of str (n,). Raises Refusal as `logits_of`."""
    held = _held(artefact)
    if "ends" not in held:
        raise Refusal("the teacher's file holds no texts (it needs the columns id and text)")
    data, ends = held["utf8"].tobytes(), held["ends"]
    starts = np.concatenate([[0], ends[:-1]])
    return column([data[starts[place] : ends[place]].decode() for place in _places(held["ids"], ids)])


def kind_of(artefact: Artefact) -> str:
    """What predictions of this teacher hold, as `Predictions.kind` names it; a label is a decision, not a distribution."""
    kind = str(artefact.facts["answers"])
    return "decisions" if kind == "labels" else kind


def _note(kind: str, rows: int) -> str:
    how = {
        "probabilities": f"; their logarithms from {FLOOR:g} up are what it teaches",
        "labels": f"; each is taught as probability {1 - SMOOTHING:g}, the rest shared by the other classes",
    }
    return f"only answers are known: {kind} of {rows} examples, joined by id{how.get(kind, '')}"


def _held(artefact: Artefact) -> Mapping[str, np.ndarray]:
    with np.load(io.BytesIO(artefact.files[ANSWERS]), allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def _places(known: np.ndarray, ids: np.ndarray) -> np.ndarray:
    order = np.argsort(known, kind="stable")
    found = np.minimum(np.searchsorted(known[order], ids), len(known) - 1)
    lost = known[order][found] != ids
    if lost.any():
        first = str(ids[lost][0])
        raise Refusal(f"the teacher's file lacks {int(lost.sum())} of {len(ids)} examples, the first with id {short(first)}")
    return np.asarray(order[found])


def _kind(raw: Raw) -> tuple[str, tuple[str, ...]]:
    """What the file answers with, and its columns."""
    found: dict[str, list[str]] = {}
    for name in raw.names:
        begin = next((b for b in BY_CLASS if name.startswith(b)), "")
        if begin or name in BY_CLASS.values():
            found.setdefault(BY_CLASS.get(begin, name), []).append(name)
        elif name in ("decision", "text"):
            found[{"decision": "labels", "text": "texts"}[name]] = [name]
    if not found and "label" in raw.names:
        found["labels"] = ["label"]
    if len(found) != 1:
        what = f"{' and '.join(found)}; keep one kind of answer" if found else "no answers"
        raise raw.wrong(f"{what} (allowed: probability.<class>, logit.<class>, decision or label, text)")
    ((kind, names),) = found.items()
    return kind, tuple(names)


def _ids(raw: Raw) -> np.ndarray:
    """Text (n,), each id once."""
    if "id" not in raw.columns:
        raise raw.wrong(f"no column 'id' (it has: {', '.join(map(short, raw.names[:12]))})")
    ids = np.array(_texts(raw, "id"))
    if (ids == "").any():
        raise raw.wrong("empty; every row needs an id", "id", int((ids == "").argmax()))
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    if len(twice):
        first, second = sorted(order[twice[0] : twice[0] + 2].tolist())
        more = f" ({len(twice)} repeated)" if len(twice) > 1 else ""
        raise raw.wrong(
            f"{short(ids[second])} is given twice, first in {raw.at(first)}; one answer for each example{more}", "id", second
        )
    return ids


def _texts(raw: Raw, name: str) -> list[str]:
    """A column as text; whole numbers become their digits. Raises Refusal for fractions, and for an empty cell."""
    held = raw.columns.get(name)
    kind = None if held is None else held.type.value_type if pa.types.is_dictionary(held.type) else held.type
    if held is None or not any(is_one(kind) for is_one in (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer)):
        raise raw.wrong(f"{kind or 'lists'}; text or whole numbers are expected", name)
    if held.null_count:
        raise raw.wrong("missing", name, int(np.flatnonzero(np.asarray(held.is_null()))[0]))
    return [str(value) for value in pc.cast(held, pa.string()).to_pylist()]


def _of_labels(raw: Raw, name: str, classes: Sequence[str]) -> np.ndarray:
    place = {label: i for i, label in enumerate(classes)}
    said = _texts(raw, name)
    for row, label in enumerate(said):
        if label not in place:
            raise raw.wrong(f"{short(label)} is no class of the data{nearest(label, tuple(classes)[:20])}", name, row)
    out = np.full((len(said), len(classes)), np.log(SMOOTHING / max(1, len(classes) - 1)), np.float32)
    out[np.arange(len(said)), [place[label] for label in said]] = np.log(1 - SMOOTHING)
    return out


def _numbers(raw: Raw, names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Float64 (n, K) in the order of the data's classes, whatever the order in the file."""
    if names[0] in raw.blocks:
        told, held = _named(raw, names[0]), raw.blocks[names[0]].astype(np.float64)
        if held.shape[1] != len(told):
            raise raw.wrong(f"{held.shape[1]} numbers a row, and {len(told)} names in kdbench.classes", names[0])
    else:
        told = [name.partition(".")[2] for name in names]
        held = np.stack([_floats(raw, name) for name in names], axis=1)
    for label in told:
        if label not in classes:
            raise raw.wrong(f"{short(label)} is no class of the data{nearest(label, tuple(classes)[:20])}")
    lost = [label for label in classes if label not in told]
    if lost:
        raise raw.wrong(f"no numbers for the class {short(lost[0])}, which the data have")
    broken = np.flatnonzero(~np.isfinite(held).all(axis=1))
    if len(broken):
        raise raw.wrong(f"{len(broken)} of {len(held)} rows are not finite", names[0], int(broken[0]))
    return held[:, [told.index(label) for label in classes]]


def _named(raw: Raw, name: str) -> list[str]:
    try:
        told = json.loads(raw.meta.get("kdbench.classes", "null"))
    except (ValueError, RecursionError):
        told = None
    if not (isinstance(told, list) and all(isinstance(one, str) for one in told) and len(set(told)) == len(told)):
        begin = next(begin for begin, kind in BY_CLASS.items() if kind == name)
        raise refuse(raw.path, f"{name}: which number is of which class is not said; write columns {begin}<class> instead")
    return told


def _floats(raw: Raw, name: str) -> np.ndarray:
    held = raw.columns[name]
    if not (pa.types.is_floating(held.type) or pa.types.is_integer(held.type)):
        raise raw.wrong(f"{held.type}; numbers are expected", name)
    if held.null_count:
        raise raw.wrong("missing", name, int(np.flatnonzero(np.asarray(held.is_null()))[0]))
    return np.asarray(held.to_numpy(zero_copy_only=False), np.float64)


def _check_sums(raw: Raw, p: np.ndarray, name: str) -> None:
    outside = np.flatnonzero(((p < 0) | (p > 1)).any(axis=1))
    if len(outside):
        raise raw.wrong(f"{len(outside)} rows hold a number outside of 0..1: no probability", name, int(outside[0]))
    off = np.flatnonzero(np.abs(p.sum(axis=1) - 1) > TOLERANCE)
    if len(off):
        said = f"the probabilities sum to {p[off[0]].sum():.6g}; 1 is expected, within {TOLERANCE:g} ({len(off)} such rows)"
        raise raw.wrong(said, name, int(off[0]))
