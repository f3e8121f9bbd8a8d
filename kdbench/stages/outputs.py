"""Stage `outputs`: what a teacher says on the plain training examples, computed once and shared by all who can use it.

spec: {taps: bool}. inputs: data (SAMPLES), artefact (the teacher). Writes `ids.npy`, `logits.npy` (float32), `tap.<name>.npy`
(float16, where asked for and small enough) and `outputs.json`.
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
from kdbench.stages import Place, artefacts, samples
from kdbench.stages.energy import Spent
from kdbench.store import Draft, Entry
from kdbench.training.batches import Pool, pool

OUTPUTS = "outputs.json"
LARGEST = 256 * 2**20
"""Bytes that all features of one teacher may take; beyond, the teacher runs live."""
BATCH = 256


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Record the teacher. Features that take more than `LARGEST` bytes or do not fit float16 are left out, with a note.

    Raises Refusal for a teacher that is no torch artefact, is for other data, or gives logits that are not finite.
    """
    torch.set_num_threads(place.threads)
    teacher = artefacts.read(inputs["artefact"], place.plugins)
    if teacher.runtime != "torch":
        raise Refusal(f"outputs: the teacher is a {teacher.runtime} artefact; only torch artefacts can be recorded")
    rows, shape = samples.read(inputs["data"], "train"), samples.shape(inputs["data"])
    if dict(teacher.shape.inputs) != dict(shape.inputs) or teacher.shape.classes != shape.classes:
        raise Refusal(f"outputs: the teacher is for {artefacts.text_of(teacher.shape)}, the data are {artefacts.text_of(shape)}")
    notes: list[str] = []
    names = expand(teacher.module, taps_of(teacher, place.plugins, "the teacher's")) if job.spec["taps"] else ()
    size = _bytes(teacher, shape, names, len(rows.y))
    if size > LARGEST:
        notes.append(f"features not recorded: they take {size / 2**20:.0f} MB, more than {LARGEST / 2**20:.0f}")
        names = ()
    began, meter = time.process_time(), Spent()
    logits, taps = _record(teacher, pool(rows.x, rows.y), names)
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
    classes = teacher.facts.get("classes") or list(inputs["data"].json("meta.json")["classes"])
    passes = {"teacher_passes": len(rows.y), "cpu_seconds": spent, "energy": energy}
    draft.json(OUTPUTS, {"taps": list(taps), "classes": classes, "dtype": "float32", "notes": notes, **passes})


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


def _record(teacher: Artefact, data: Pool, names: tuple[str, ...]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    module = teacher.module.eval().to(memory_format=torch.channels_last)
    assert not module.training, "a teacher in train mode would say something else each time"
    logits: list[torch.Tensor] = []
    taps: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    with torch.no_grad():
        for index in torch.split(torch.arange(len(data)), BATCH):
            given = forward(module, data.batch(index).x, names)
            logits.append(given.logits.float())
            for name in names:
                taps[name].append(given.taps[name].half().contiguous())
    return torch.cat(logits).numpy(), {name: torch.cat(parts).numpy() for name, parts in taps.items()}
