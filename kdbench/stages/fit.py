"""Stage `fit`: train a student, from fresh weights or from an artefact, and write the artefact that it becomes.

spec: {seed, terms [{method {name, params}, weight, start, stop}], train {...}, model {name, params} or null};
unknown, where something that led to a teacher of another task was made elsewhere.
inputs: data (SAMPLES), artefact? (where the student starts), teacher? (ARTEFACT), outputs? and top_k? (records of that teacher);
of one of another task, other_task (the SAMPLES that it answered) and saw_0, ... (that it learned from).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdbench.nets.build import feature_shapes
from kdbench.nets.edits import masks
from kdbench.nets.taps import expand, inner_names
from kdbench.nouns import Artefact, Job, Json, Refusal, Shape, Term, Train, Use, plain
from kdbench.registry import Plugins
from kdbench.stages import Place, artefacts, networks, samples, top_k
from kdbench.stages.energy import Spent
from kdbench.stages.outputs import OUTPUTS, inner_of, padding_of, taps_of
from kdbench.stages.seeds import stream
from kdbench.stages.teacher import Known, Taught, teach
from kdbench.store import Draft, Entry
from kdbench.training.batches import Pool, pool
from kdbench.training.checkpoint import Progress, restore, save
from kdbench.training.cohort import Member, member
from kdbench.training.loop import Recipe, train_all
from kdbench.training.teaching import Recorded
from kdbench.training.terms import asks, check_always_active, load_terms, make_state
from kdbench.training.views import load_views

WARM = ("torch._dynamo",)
"""Imported by torch itself in every process that steps an optimizer or dispatches an operator; a second of work, so once."""

UNTRAINED = "not trained (0 epochs)"
"""What the record of a fit of no epochs says: its weights are random, or those of the step before."""

PAIRS = "fit: vectors of pairs learn from the first text of each row only"
"""The second text of a pair is kept beside the examples, for the test alone."""

SAVE_EVERY = 20.0
"""Seconds between two saves of a running fit, at least."""

BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)
"""Layers by which the examples of a batch change each other."""


@dataclass(frozen=True, slots=True)
class _Splits:
    train: Pool
    validation: Pool
    rows: samples.Rows
    classes: tuple[str, ...]
    tokenizer: str


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Train and write. Resumes from the partial state of an earlier, killed run, with the same bytes as the result."""
    torch.set_num_threads(place.threads)
    spec: dict[str, Any] = dict(job.spec)
    seed, train = int(spec["seed"]), to_train(spec["train"])
    shape = samples.shape(inputs["data"])
    first = _first(spec, inputs, place.plugins, shape, seed)
    splits = _splits(inputs["data"])
    terms = load_terms(place.plugins, [to_term(term) for term in spec["terms"]])
    taps = expand(first.module, taps_of(first, place.plugins, "the student's")) if any(term.taps for term in terms) else ()
    attention = any(term.inner for term in terms)
    inner = inner_names(first.module, inner_of(first, place.plugins, "the student's")) if attention else {}
    recipe = Recipe(train, terms, load_views(place.plugins, train.views), shape, taps, partial(stream, seed), inner)
    _check(recipe, splits)
    taught = teach(recipe, inputs, place.plugins, splits.rows, Known(splits.classes, splits.tokenizer, "unknown" not in spec))
    recipe, taught = _with_top_k(recipe, taught, inputs, splits)
    members = _cohort(recipe, first, taught, len(splits.train), place.plugins)
    spent = Spent()
    progress = _train(recipe, members, splits, taught, place.store.partial(job.key), spent)
    student = members[0].module.eval()
    if progress.best:
        student.load_state_dict(progress.best)
    facts: dict[str, Json] = {**first.facts, "classes": list(splits.classes)}
    facts |= {"tokenizer": splits.tokenizer} if splits.tokenizer else {}
    made = Artefact("torch", shape, first.model, student, first.edits, first.files, facts)
    fresh = "artefact" not in inputs
    recording = _recording(recipe, taught, inputs)
    taught = replace(taught, notes=(*taught.notes, *_noted(train, splits.rows, student)))
    record = {**_record(recipe, progress, taught, fresh, recording), "energy": _energy(spent, progress, recording)}
    record["parity"] = {**_parity(recipe, taught, fresh), "bucketed": splits.train.cost is not None}
    artefacts.write(draft, made, artefacts.chained(record, inputs.get("artefact")))


def _noted(train: Train, rows: samples.Rows, student: nn.Module) -> tuple[str, ...]:
    """What a reader of the results should know of how these rows were learned from."""
    notes = (PAIRS,) if "other" in rows.more else ()
    if train.accumulate > 1 and any(isinstance(part, BATCH_NORMS) for part in student.modules()):
        notes = (*notes, f"batch norm saw each batch in {train.accumulate} parts")
    return notes


def to_train(facts: Mapping[str, Any]) -> Train:
    """A Train as it was written in JSON. Raises Refusal for values that no fit can have."""
    train = Train(**{**facts, "views": tuple(Use(**view) for view in facts.get("views", ()))})
    allowed = {"select": ("last", "best_validation"), "precision": ("fp32", "bf16")}
    for name, values in allowed.items():
        if getattr(train, name) not in values:
            raise Refusal(f"train: no {name} {getattr(train, name)!r} (allowed: {', '.join(values)})")
    for name, least in (("epochs", 0), ("batch", 1), ("accumulate", 1)):
        if getattr(train, name) < least:
            raise Refusal(f"train: {name} must be at least {least}, not {getattr(train, name)}")
    return train


def to_term(facts: Mapping[str, Any]) -> Term:
    """A Term as it was written in JSON."""
    return Term(Use(**facts["method"]), facts.get("weight", 1.0), facts.get("start", 0.0), facts.get("stop", 1.0))


def _first(spec: Mapping[str, Any], inputs: Mapping[str, Entry], plugins: Plugins, shape: Shape, seed: int) -> Artefact:
    """Where the student starts: the artefact of the step before, or fresh weights that depend on seed and architecture alone."""
    if "artefact" in inputs:
        if spec.get("model"):
            raise Refusal("fit: a fit that goes on from an artefact cannot also name a model")
        before = artefacts.read(inputs["artefact"], plugins)
        if before.runtime != "torch":
            raise Refusal(f"fit: cannot train a {before.runtime} artefact; only torch artefacts can be trained")
        if before.shape.classes != shape.classes or dict(before.shape.inputs) != dict(shape.inputs):
            raise Refusal(f"fit: the artefact is for {artefacts.text_of(before.shape)}, the data are {artefacts.text_of(shape)}")
        return before
    if not spec.get("model"):
        raise Refusal("fit: needs an artefact to go on from, or a model")
    model = Use(**spec["model"])
    return Artefact("torch", shape, model, networks.rebuild(plugins, model, shape, seed=stream(seed, "init")))


def _splits(data: Entry) -> _Splits:
    train, validation = samples.read(data, "train"), samples.read(data, "validation")
    if not len(train.y):
        raise Refusal("fit: the training split is empty")
    meta, padding = data.json("meta.json"), padding_of(samples.shape(data))
    classes = tuple(str(name) for name in meta["classes"])
    here, there = (pool(part.x, part.y, padding) for part in (train, validation))
    return _Splits(here, there, train, classes, str(meta.get("tokenizer") or ""))


def _check(recipe: Recipe, splits: _Splits) -> None:
    """Raises Refusal for a recipe that these data cannot follow."""
    check_always_active(recipe.terms, recipe.steps(len(splits.train)))
    if recipe.train.select == "best_validation" and recipe.shape.answer == "vector":
        raise Refusal("train: select best_validation goes by accuracy, which vectors do not have (allowed: select: last)")
    if recipe.train.select == "best_validation" and not bool((splits.validation.y >= 0).any()):
        raise Refusal("train: select best_validation needs a validation split; set data.validation above 0 or select: last")
    across = [term.name for term in recipe.terms if term.across]
    if recipe.train.accumulate > 1 and across:
        why = "which compares the examples of a batch with each other"
        raise Refusal(f"train: accumulate {recipe.train.accumulate} would split the batches of {across[0]!r}, {why} (allowed: 1)")


def _cohort(recipe: Recipe, first: Artefact, taught: Taught, n_train: int, plugins: Plugins) -> list[Member]:
    """The student and, where a term asks for one, its peer: the same architecture and edits from other initial weights."""
    modules: list[nn.Module] = [first.module]
    if asks(recipe.terms, "peer"):
        assert first.model is not None
        modules.append(networks.rebuild(plugins, first.model, recipe.shape, first.edits, recipe.stream("init", "peer")))
    mine = feature_shapes(first.module, recipe.shape, recipe.taps)
    said = mine.pop("logits")
    outputs = {"student": said, "teacher": taught.logits or said}
    shapes = {"logits": said, "outputs": outputs, "student": mine, "teacher": taught.shapes}
    kept = masks(first.edits)
    members = []
    for i, module in enumerate(modules):
        names = ("state",) if i == 0 else ("state", "peer")
        states = {t.name: make_state(t, shapes, n_train, recipe.stream(*names, t.name)) for t in recipe.terms}
        held = {name: state for name, state in states.items() if state is not None}
        members.append(member(module, held, recipe.train, kept, asks(recipe.terms, "previous")))
    return members


def _train(recipe: Recipe, members: list[Member], splits: _Splits, taught: Taught, folder: Path, spent: Spent) -> Progress:
    progress = restore(folder, members) or Progress()
    last = time.monotonic()

    def keep(now: Progress) -> None:
        nonlocal last
        spent.read()
        if time.monotonic() - last >= SAVE_EVERY:
            save(folder, members, now)
            last = time.monotonic()

    return train_all(recipe, members, (splits.train, splits.validation), taught.source, progress, keep)


def _energy(spent: Spent, progress: Progress, recording: Mapping[str, Any]) -> dict[str, Json]:
    """Joules of the fit, with the recording of its teacher in full, as with CPU seconds."""
    own = spent.record(resumed=bool(progress.resumed))
    return artefacts.together([own, recording["energy"]]) if recording else own


def _with_top_k(recipe: Recipe, taught: Taught, inputs: Mapping[str, Entry], splits: _Splits) -> tuple[Recipe, Taught]:
    """The same with the recorded likeliest tokens of the teacher, where a term reads them."""
    top = top_k.recorded(recipe, inputs, splits.rows.ids, splits.tokenizer)
    if top is None:
        return recipe, taught
    how = "recorded" if taught.how == "none" else taught.how
    return replace(recipe, top=top), replace(taught, how=how, notes=(*taught.notes, top_k.said(inputs["top_k"])))


def _recording(recipe: Recipe, taught: Taught, inputs: Mapping[str, Entry]) -> Mapping[str, Any]:
    """What it cost to record all that was recorded of the teacher, and to have it make new examples; {} where it did neither."""
    held = [inputs["outputs"].json(OUTPUTS)] if isinstance(taught.source, Recorded) else []
    held += [inputs["top_k"].json(top_k.FACTS)] if recipe.top is not None else []
    held += [made] if (made := inputs["data"].json("meta.json").get("relabelled")) else []
    costs = {name: sum(one.get(name, 0) for one in held) for name in ("cpu_seconds", "teacher_passes")}
    return {**costs, "energy": artefacts.together([one.get("energy") for one in held])} if held else {}


def _record(recipe: Recipe, progress: Progress, taught: Taught, fresh: bool, recording: Mapping[str, Any]) -> dict[str, Json]:
    """What the fit cost and how it went. A recording of the teacher is counted in full, as if nobody else used it."""
    chosen = progress.best_epoch if recipe.train.select == "best_validation" else progress.epochs
    return {
        "seconds": progress.seconds,
        "cpu_seconds": progress.cpu_seconds + recording.get("cpu_seconds", 0.0),
        "examples": progress.examples,
        "epochs": progress.epochs,
        "steps": progress.steps,
        "teacher_passes": progress.teacher_passes + recording.get("teacher_passes", 0),
        "history": plain(progress.history),
        "selected_epoch": chosen,
        "resumed": progress.resumed,
        "notes": [*taught.notes, *([] if progress.epochs else [UNTRAINED if fresh else f"{UNTRAINED} by its last step"])],
    }


def _parity(recipe: Recipe, taught: Taught, fresh: bool) -> dict[str, Json]:
    """Under which conditions the student was trained."""
    return {
        "same_init": fresh,
        "same_batches": not any({"student", "teacher"} & set(view.evidence) for view in recipe.views),
        "views": [view.name for view in recipe.views],
        "teacher": taught.how,
        "select": recipe.train.select,
        "precision": recipe.train.precision,
        "train": plain(recipe.train),
        "networks": 2 if asks(recipe.terms, "peer") else 1,
    }
