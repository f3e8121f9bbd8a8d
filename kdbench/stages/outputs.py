"""Stage `outputs`: what a teacher says on the plain training examples, computed once and shared by all who can use it.

spec: {taps: bool}. inputs: data (SAMPLES), artefact (the teacher). Writes `ids.npy`, `logits.npy` (float32), `tap.<name>.npy`
(float16, where asked for and small enough; of tokens (n, length, d), 0 after the end of a row) and `outputs.json`. Logits over
a vocabulary are not recorded: they would take gigabytes, so such a teacher runs live.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np
import torch

from kdbench.nets.build import feature_shapes
from kdbench.nets.taps import expand, forward
from kdbench.nouns import Artefact, Job, Refusal, Shape
from kdbench.registry import Plugins
from kdbench.stages import Place, artefacts, blackbox, samples
from kdbench.stages.energy import Spent
from kdbench.store import Draft, Entry
from kdbench.training.batches import Pool, pool

OUTPUTS = "outputs.json"
VOCABULARY = ("next", "text")
"""Answers that are logits over a vocabulary at each position."""
LARGEST = 256 * 2**20
"""Bytes that all features of one teacher may take; beyond, the teacher runs live."""
BATCH = 256


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Record the teacher. Features that take more than `LARGEST` bytes or do not fit float16 are left out, with a note.

    Raises Refusal for a teacher that is no torch artefact, is for other data, or gives logits that are not finite.
    """
    torch.set_num_threads(place.threads)
    teacher = artefacts.read(inputs["artefact"], place.plugins)
    if teacher.runtime == blackbox.RUNTIME:
        _given(teacher, inputs["data"], draft)
        return
    rows, shape, meta = samples.read(inputs["data"], "train"), samples.shape(inputs["data"]), inputs["data"].json("meta.json")
    _fits(teacher, shape, meta)
    if shape.answer in VOCABULARY:
        draft.array("ids.npy", rows.ids)
        why = "logits over a vocabulary are not recorded: the teacher runs live"
        draft.json(OUTPUTS, {"taps": [], "logits": False, "notes": [why], "teacher_passes": 0, "cpu_seconds": 0.0})
        return
    notes: list[str] = []
    names = expand(teacher.module, taps_of(teacher, place.plugins, "the teacher's")) if job.spec["taps"] else ()
    size = _bytes(teacher, shape, names, len(rows.y))
    if size > LARGEST:
        notes.append(f"features not recorded: they take {size / 2**20:.0f} MB, more than {LARGEST / 2**20:.0f}")
        names = ()
    began, meter = time.process_time(), Spent()
    logits, taps = _record(teacher, pool(rows.x, rows.y, padding_of(shape)), names)
    spent, energy = time.process_time() - began, meter.record()
    bad = int((~np.isfinite(logits)).any(axis=tuple(range(1, logits.ndim))).sum())
    if bad:
        raise Refusal(f"invalid output: the teacher's logits are not finite on {bad} of {len(logits)} training examples")
    if not all(np.isfinite(value).all() for value in taps.values()):
        notes.append("features not recorded: they overflow half precision")
        taps = {}
    draft.array("ids.npy", rows.ids)
    draft.array("logits.npy", logits)
    for name, value in taps.items():
        draft.array(f"tap.{name}.npy", value)
    facts = {
        "taps": list(taps),
        "logits": True,
        "classes": teacher.facts.get("classes") or list(meta["classes"]),
        "tokenizer": meta.get("tokenizer") or "",
        "dtype": "float32",
        "notes": notes,
    }
    draft.json(OUTPUTS, {**facts, "teacher_passes": len(rows.y), "cpu_seconds": spent, "energy": energy})


def _given(teacher: Artefact, data: Entry, draft: Draft) -> None:
    """The answers of a teacher of whom only these are known, joined by id."""
    ids = samples.read(data, "train").ids
    draft.array("ids.npy", ids)
    draft.array("logits.npy", blackbox.logits_of(teacher, ids))
    facts = {"taps": [], "logits": True, "classes": teacher.facts["classes"], "tokenizer": "", "dtype": "float32"}
    draft.json(OUTPUTS, {**facts, "notes": teacher.facts["notes"], "teacher_passes": 0, "cpu_seconds": 0.0})


def _bytes(teacher: Artefact, shape: Shape, names: tuple[str, ...], n: int) -> int:
    """What the features of n examples take in half precision."""
    if not names:
        return 0
    shapes = feature_shapes(teacher.module, shape, names)
    return 2 * n * sum(math.prod(shapes[name]) for name in names)


def taps_of(artefact: Artefact, plugins: Plugins, whose: str) -> tuple[str, ...]:
    """The taps that the model of an artefact declares. Raises Refusal where it declares none."""
    assert artefact.model is not None
    taps = tuple(plugins.get("model", artefact.model.name).facts.get("taps", ()))
    if not taps:
        raise Refusal(f"fit: a term reads features, and {whose} model {artefact.model.name!r} declares no taps")
    return taps


def inner_of(artefact: Artefact, plugins: Plugins, whose: str) -> dict[str, str]:
    """The projections of attention that the model of an artefact declares, or its network where that follows from parameters.
    Raises Refusal where there are none.
    """
    assert artefact.model is not None
    said = getattr(artefact.module, "inner", {})
    inner = dict(plugins.get("model", artefact.model.name).facts.get("inner") or (said if isinstance(said, Mapping) else {}))
    if not inner:
        raise Refusal(f"fit: a term reads attention, and {whose} model {artefact.model.name!r} declares no projections (inner)")
    return inner


def padding_of(shape: Shape) -> int | None:
    """The token that fills rows up, None where the data are no tokens."""
    return shape.padding if shape.kind == "tokens" else None


def _fits(teacher: Artefact, shape: Shape, meta: Mapping[str, object]) -> None:
    """Raises Refusal for a teacher that cannot be asked about these data."""
    if teacher.runtime != "torch":
        raise Refusal(f"outputs: the teacher is a {teacher.runtime} artefact; only torch artefacts can be recorded")
    other = teacher.shape.classes != shape.classes and shape.answer != "vector"
    if dict(teacher.shape.inputs) != dict(shape.inputs) or other:
        raise Refusal(f"outputs: the teacher is for {artefacts.text_of(teacher.shape)}, the data are {artefacts.text_of(shape)}")
    mine, theirs = meta.get("tokenizer"), teacher.facts.get("tokenizer")
    if mine and theirs and mine != theirs:
        said = f"{str(theirs)[:12]} and {str(mine)[:12]}"
        raise Refusal(f"outputs: the teacher's tokens are of another tokenizer than the data's (fingerprints {said})")


def _record(teacher: Artefact, data: Pool, names: tuple[str, ...]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Logits and features of all rows, longest first, put back in their order."""
    module = teacher.module.eval().to(memory_format=torch.channels_last)
    assert not module.training, "a teacher in train mode would say something else each time"
    logits: list[np.ndarray] = []
    taps: dict[str, list[np.ndarray]] = {name: [] for name in names}
    length = data.x["tokens"].shape[1] if data.padding is not None else 0
    batches = data.ordered(BATCH)
    with torch.no_grad():
        for index in batches:
            given = forward(module, data.batch(index).x, names)
            logits.append(_wide(given.logits.float(), length))
            for name in names:
                taps[name].append(_wide(given.taps[name].half(), length))
    place = np.argsort(torch.cat(batches).numpy(), kind="stable")
    return np.concatenate(logits)[place], {name: np.concatenate(of)[place] for name, of in taps.items()}


def _wide(value: torch.Tensor, length: int) -> np.ndarray:
    """A batch of tokens (b, width, d) filled up with 0 to the full length; anything else as it is."""
    if not length or value.ndim != 3:
        return value.contiguous().numpy()
    return np.pad(value.numpy(), ((0, 0), (0, max(0, length - value.shape[1])), (0, 0)))
