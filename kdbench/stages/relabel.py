"""Stage `relabel`: a new training split, made by a teacher; validation and test stay as they are.

spec: {relabeler {name, params}, seed}. inputs: data (as the stage data wrote it), artefact (the teacher), and for texts `tokens`
(the same examples as the teacher reads them) and `tokenizer`. Writes samples, and `provenance.json`: where each row comes from,
what made it, and what that cost.
"""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from kdbench.nets.taps import forward
from kdbench.nouns import ALTERNATIVE, Artefact, Job, Json, Refusal, Relabelled
from kdbench.registry import given
from kdbench.stages import Place, artefacts, blackbox, samples
from kdbench.stages.continuing import writer
from kdbench.stages.energy import Spent
from kdbench.stages.outputs import padding_of
from kdbench.stages.samples import SPLITS, Rows
from kdbench.stages.seeds import stream
from kdbench.stages.texts import column
from kdbench.stages.tokenizing import TOKENIZER, open_tokenizer
from kdbench.stages.tokens import together
from kdbench.store import Draft, Entry
from kdbench.training.batches import pool

PROVENANCE = "provenance.json"
BATCH = 256


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Make the new training rows. Raises Refusal for a teacher that cannot say what is asked of it, and where no row is left."""
    torch.set_num_threads(place.threads)
    spec: dict[str, Any] = dict(job.spec)
    use, data = spec["relabeler"], inputs["data"]
    plugin, _ = place.plugins.load("relabeler", use["name"])
    described = place.plugins.get("relabeler", use["name"])
    rows, meta = samples.raw(data, "train"), data.json("meta.json")
    teacher = artefacts.read(inputs["artefact"], place.plugins)
    offers = _offers(rows, meta, teacher, inputs)
    offers["rng"] = lambda: np.random.default_rng(stream(int(spec["seed"]), "relabel"))
    began, meter = time.process_time(), Spent()
    asked = {name: offers[name]() for name in given(described, offers)}
    found = plugin(**asked, **copy.deepcopy(dict(use["params"])))
    cost: dict[str, Json] = {"cpu_seconds": time.process_time() - began, "energy": meter.record()}
    kept = {split: samples.raw(data, split) for split in SPLITS[1:]}
    made, notes = _unseen(_rows(found, rows, use["name"]), kept, found)
    parts = [made, *(part for part in kept.values() if len(part.y))]
    split = np.concatenate([np.full(len(p.y), code) for code, p in zip(_codes(kept), parts, strict=True)])
    licence = _licence(teacher, meta)
    said = [*meta["notes"], *found.notes, *notes, f"train rows come from a teacher; its licence: {licence}"]
    relabelled = {**cost, "teacher_passes": len(rows.y)}  # counted in every fit that sees these rows
    samples.write(draft, together(parts), split, {**meta, "notes": said, "relabelled": relabelled})
    about: dict[str, Json] = {
        "relabeler": use,
        "seed": spec["seed"],
        "teacher": inputs["artefact"].key,
        "licence of the teacher": licence,
    }
    ids: dict[str, Json] = {"ids": made.ids.tolist(), "made from": rows.ids[_source(found, made, rows)].tolist()}
    draft.json(PROVENANCE, {**about, **cost, "notes": list(found.notes), **ids})


def _offers(rows: Rows, meta: Mapping[str, Any], teacher: Artefact, inputs: Mapping[str, Entry]) -> dict[str, Callable[[], Any]]:
    """What a relabeler may ask for; only what it names is computed."""

    def texts() -> np.ndarray:
        if "text" not in rows.x:
            raise Refusal(f"relabel: the data are no texts ({meta['kind']})")
        return rows.x["text"]

    def target() -> np.ndarray | None:
        if meta.get("answer", "class") not in ("next", "text"):
            raise Refusal(f"relabel: the data ask for the {meta['answer']} of a text, and new texts would have none")
        return rows.more.get("target")

    def label() -> np.ndarray:
        if meta.get("answer", "class") != "class":
            raise Refusal(f"relabel: the data have no classes to label (their answer is {meta['answer']!r})")
        return rows.y

    return {
        "texts": texts,
        "target": target,
        "label": label,
        "teacher": lambda: writer(teacher, open_tokenizer(inputs["tokenizer"].bytes(TOKENIZER)), _start(inputs)),
        "answers": lambda: blackbox.texts_of(teacher, rows.ids),
        "probabilities": lambda: _probabilities(teacher, inputs.get("tokens", inputs["data"]), rows.ids, meta["classes"]),
    }


def _start(inputs: Mapping[str, Entry]) -> int | None:
    """The token that the teacher's own rows begin with, None where they do not say."""
    said: int | None = inputs["tokens"].json("meta.json").get("start") if "tokens" in inputs else None
    return said


def _probabilities(teacher: Artefact, data: Entry, ids: np.ndarray, classes: list[str]) -> np.ndarray:
    """Float64 (n, K) in the order of the data's classes, which are found by name."""
    said: Any = teacher.facts.get("classes") or classes
    told = [str(name) for name in said]
    if sorted(told) != sorted(classes):
        other = next(iter(set(told) ^ set(classes)))
        raise Refusal(f"relabel: the teacher's classes are others than the data's ({other!r} is not in both)")
    logits = blackbox.logits_of(teacher, ids) if teacher.runtime == blackbox.RUNTIME else _asked(teacher, data, ids)
    wide = logits.astype(np.float64)[:, [told.index(name) for name in classes]]
    wide = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(wide / wide.sum(axis=1, keepdims=True))


def _asked(teacher: Artefact, data: Entry, ids: np.ndarray) -> np.ndarray:
    rows, shape = samples.read(data, "train"), samples.shape(data)
    if teacher.runtime != "torch":
        raise Refusal(f"relabel: the teacher is a {teacher.runtime} artefact; a torch artefact or a file of answers is needed")
    if dict(teacher.shape.inputs) != dict(shape.inputs) or not np.array_equal(rows.ids, ids):
        raise Refusal(f"relabel: the teacher is for {artefacts.text_of(teacher.shape)}, the data are {artefacts.text_of(shape)}")
    held = pool(rows.x, rows.y, padding_of(shape))
    module = teacher.module.eval()
    with torch.no_grad():
        parts = [forward(module, held.batch(index).x).logits.float() for index in torch.split(torch.arange(len(held)), BATCH)]
    logits = torch.cat(parts).numpy()
    if not np.isfinite(logits).all():
        raise Refusal("invalid output: the teacher's logits are not finite on all training examples")
    return logits


def _rows(found: Any, rows: Rows, name: str) -> Rows:
    """The new training rows: of new texts with ids of their own, else with the ids that they had."""
    if not isinstance(found, Relabelled):
        raise Refusal(f"relabeler {name!r} gave {type(found).__name__}; kdbench.Relabelled expected")
    n = len(found.source)
    new = (found.texts, found.target, found.label)
    if not n or any(value is not None and len(value) != n for value in new):
        raise Refusal(f"relabeler {name!r} gave {n} rows, and values for another number of them")
    made = rows.take(found.source)
    if found.texts is not None:
        made = replace(made, x={**made.x, "text": found.texts})
    if found.target is not None:
        target = column([str(text).replace(ALTERNATIVE, " ") for text in found.target])
        made = replace(made, more={**made.more, "target": target})
    if found.label is not None:
        made = replace(made, y=found.label)
    if found.texts is None and found.target is None:
        return made
    return replace(made, ids=np.array([f"{one}/{k}" for one, k in zip(made.ids, _copies(found.source), strict=True)]))


def _copies(source: np.ndarray) -> list[int]:
    """How many rows before each one come from the same old row."""
    seen: Counter[int] = Counter()
    numbers = []
    for at in source.tolist():
        numbers.append(seen[at])
        seen[at] += 1
    return numbers


def _unseen(made: Rows, kept: Mapping[str, Rows], found: Relabelled) -> tuple[Rows, list[str]]:
    """Without new texts that are texts of validation or test, word for word."""
    if found.texts is None:
        return made, []
    known = {tuple(row) for part in kept.values() for row in part.x["text"].tolist()}
    fresh = np.array([tuple(row) not in known for row in made.x["text"].tolist()], bool)
    lost = int((~fresh).sum())
    if not fresh.any():
        raise Refusal("relabel: every new text is a text of validation or test")
    return made.take(fresh), [f"{lost} new texts are texts of validation or test, and were left out"] if lost else []


def _source(found: Relabelled, made: Rows, rows: Rows) -> np.ndarray:
    """The old row of each new one."""
    if len(made.ids) == len(found.source):
        return found.source
    place = {one: i for i, one in enumerate(rows.ids.tolist())}
    return np.array([place[one.rpartition("/")[0]] for one in made.ids.tolist()], np.int64)


def _codes(kept: Mapping[str, Rows]) -> list[int]:
    return [0, *(code for code, part in enumerate(kept.values(), 1) if len(part.y))]


def _licence(teacher: Artefact, meta: Mapping[str, Any]) -> str:
    if teacher.facts.get("made_elsewhere"):
        return str(teacher.facts.get("licence") or "not stated")
    return f"made here from {meta['source']} ({meta['licence'] or 'licence not stated'})"
