"""Find the teacher of a fit: recorded outputs where they are honest, the live network where they are not.

A teacher of another task reads other data about the same examples, so it is never live.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from kdbench.nets.build import feature_shapes
from kdbench.nets.taps import expand, inner_names
from kdbench.nouns import Artefact, Refusal
from kdbench.registry import Plugins
from kdbench.stages import artefacts, other_task
from kdbench.stages.outputs import OUTPUTS, VOCABULARY, inner_of, taps_of
from kdbench.stages.samples import Rows
from kdbench.store import Entry
from kdbench.training.loop import Recipe
from kdbench.training.teaching import Live, Recorded, live, places
from kdbench.training.terms import asks


@dataclass(frozen=True, slots=True)
class Taught:
    """The source of a fit's teacher outputs, how they come ("none", "recorded", "live"), the shapes of its taps, warnings, and
    the shape of its logits.
    """

    source: Recorded | Live | None = None
    how: str = "none"
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    logits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside the inputs of a fit. tokenizer: the fingerprint of the data's, "" where there is none; history:
    whether all is known that a teacher of another task learned from.
    """

    classes: tuple[str, ...]
    tokenizer: str = ""
    history: bool = True


def teach(recipe: Recipe, inputs: Mapping[str, Entry], plugins: Plugins, rows: Rows, known: Known) -> Taught:
    """The teacher that the terms and views of a fit ask for.

    Recorded outputs serve where every view keeps them valid, no view asks for the network itself, no term reads its attention,
    and the logits and features that are read were recorded; otherwise the teacher runs on each batch. Raises Refusal where what
    is needed was not given or does not fit the data.
    """
    named = [view.name for view in recipe.views if "teacher" in view.evidence]
    if not asks(recipe.terms, "teacher") and not named:
        return Taught()
    taking = [term for term in recipe.terms if "teacher" in term.evidence]
    features = any(term.taps for term in taking)
    fresh = [view.name for view in recipe.views if not view.recorded]
    whole = fresh or named or any(term.inner for term in taking)
    notes = other_task.check(inputs, known.history)
    if not whole and "outputs" in inputs:
        facts = inputs["outputs"].json(OUTPUTS)
        if recipe.shape.answer != "vector":  # vectors have as many numbers as their model wants, and no names
            _same_classes(facts.get("classes"), known.classes)
        if facts.get("logits", True) and (facts["taps"] or not features):
            found = _recorded(recipe, inputs["outputs"], features, rows, known)
            held = found.source
            assert isinstance(held, Recorded)
            said = [value.numpy() for value in (held.logits, *held.taps.values())]
            other_task.by_places(inputs, said, tokens=recipe.shape.kind == "tokens")
            return replace(found, notes=(*notes, *found.notes))
    if "teacher" not in inputs:
        asked = next((term.name for term in taking), named[0] if named else "")
        attention = any(term.inner for term in taking)
        why = "attention is not recorded" if attention else "its features were not recorded"
        why = f"view {fresh[0]!r} changes the examples" if fresh else why
        lost = f"the live teacher, because {why}" if "outputs" in inputs else "a teacher"
        none = "that of another task reads other rows" if notes else "none was given"
        raise Refusal(f"fit: {asked!r} needs {lost}, and {none}")
    return _alive(recipe, artefacts.read(inputs["teacher"], plugins), plugins, known)


def _recorded(recipe: Recipe, entry: Entry, features: bool, rows: Rows, known: Known) -> Taught:
    facts = entry.json(OUTPUTS)
    place = torch.from_numpy(places(rows.ids, np.asarray(entry.array("ids.npy"))))
    logits = torch.from_numpy(np.array(entry.array("logits.npy")))[place]
    if recipe.shape.answer == "class":
        _same_count(logits.shape[-1], recipe.shape.classes)
    taps = facts["taps"] if features else []
    held = {name: torch.from_numpy(np.array(entry.array(f"tap.{name}.npy")))[place] for name in taps}
    if logits.ndim == 3 or any(value.ndim == 3 for value in held.values()):
        _same_tokenizer(facts.get("tokenizer"), known.tokenizer, "what it says at each position")
    shapes = {name: tuple(value.shape[1:]) for name, value in held.items()}
    notes = _agreement(logits, rows.y) if recipe.shape.answer == "class" else ()
    return Taught(Recorded(logits, held), "recorded", shapes, notes, tuple(logits.shape[1:]))


def _alive(recipe: Recipe, teacher: Artefact, plugins: Plugins, known: Known) -> Taught:
    if teacher.runtime != "torch":
        raise Refusal(f"fit: the teacher is a {teacher.runtime} artefact; a live teacher must be a torch artefact")
    _same_tokenizer(teacher.facts.get("tokenizer"), known.tokenizer, "the tokens that it is fed")
    if recipe.shape.answer in VOCABULARY and teacher.shape.classes != recipe.shape.classes:
        counts = f"{teacher.shape.classes} tokens, the data's {recipe.shape.classes}"
        raise Refusal(f"fit: the teacher's vocabulary has {counts}; their logits cannot be compared token by token")
    if recipe.shape.answer != "vector":
        _same_classes(teacher.facts.get("classes"), known.classes)
        _same_count(teacher.shape.classes, recipe.shape.classes)
    if dict(teacher.shape.inputs) != dict(recipe.shape.inputs):
        raise Refusal(
            f"fit: the teacher is for {artefacts.text_of(teacher.shape)}, the data are {artefacts.text_of(recipe.shape)}"
        )
    taking = [term for term in recipe.terms if "teacher" in term.evidence]
    features, attention = any(term.taps for term in taking), any(term.inner for term in taking)
    taps = expand(teacher.module, taps_of(teacher, plugins, "the teacher's")) if features else ()
    inner = inner_names(teacher.module, inner_of(teacher, plugins, "the teacher's")) if attention else {}
    shapes = feature_shapes(teacher.module, recipe.shape, taps)
    said = shapes.pop("logits")
    return Taught(live(teacher.module, taps, inner), "live", shapes, (), said)


def _same_tokenizer(theirs: object, mine: str, what: str) -> None:
    """Both fingerprints, where they are known, must be one: token 7 of two tokenizers is not the same word."""
    if theirs and mine and theirs != mine:
        said = f"fingerprints {str(theirs)[:12]} and {mine[:12]}"
        raise Refusal(f"fit: the teacher has another tokenizer than the student's data ({said}); {what} would be misread")


def _same_count(found: int, wanted: int) -> None:
    if found != wanted:
        raise Refusal(f"fit: the teacher tells {found} classes apart, the data have {wanted}")


def _same_classes(found: object, wanted: tuple[str, ...]) -> None:
    """The teacher's labels, where it says them, must be those of the data in the same order."""
    if not isinstance(found, list | tuple) or tuple(found) == wanted:
        return
    if sorted(map(str, found)) == sorted(wanted):
        at = next(i for i, pair in enumerate(zip(found, wanted, strict=True)) if pair[0] != pair[1])
        raise Refusal(
            f"fit: the teacher's labels are in another order: label {at} is {found[at]!r} there, {wanted[at]!r} in the data"
        )
    _same_count(len(found), len(wanted))
    other = next(name for name in map(str, found) if name not in wanted)
    raise Refusal(f"fit: the teacher knows a class {other!r} that the data do not have (data: {', '.join(wanted[:10])})")


def _agreement(logits: torch.Tensor, y: np.ndarray) -> tuple[str, ...]:
    """A warning where the teacher is right less often than chance on what it teaches."""
    if logits.ndim != 2 or y.ndim != 1 or not (y >= 0).all():
        return ()
    share = float((logits.argmax(1).numpy() == y).mean())
    chance = 1 / logits.shape[1]
    return (
        ()
        if share > chance
        else (f"the teacher is right on {share:.1%} of the training labels; chance is {chance:.1%}: permuted?",)
    )
