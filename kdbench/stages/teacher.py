"""Find the teacher of a fit: recorded outputs where they are honest, the live network where they are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from kdbench.nets.build import feature_shapes
from kdbench.nets.taps import expand
from kdbench.nouns import Refusal
from kdbench.registry import Plugins
from kdbench.stages import artefacts
from kdbench.stages.outputs import OUTPUTS, taps_of
from kdbench.stages.samples import Rows
from kdbench.store import Entry
from kdbench.training.loop import Recipe
from kdbench.training.teaching import Live, Recorded, live, places
from kdbench.training.terms import asks


@dataclass(frozen=True, slots=True)
class Taught:
    """The source of a fit's teacher outputs, how they come ("none", "recorded", "live"), the shapes of its taps, and warnings."""

    source: Recorded | Live | None = None
    how: str = "none"
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def teach(recipe: Recipe, inputs: Mapping[str, Entry], plugins: Plugins, rows: Rows, classes: tuple[str, ...]) -> Taught:
    """The teacher that the terms and views of a fit ask for.

    Recorded outputs serve where every view keeps them valid, no view asks for the network itself, and the features that are
    read were recorded; otherwise the teacher runs on each batch. Raises Refusal where what is needed was not given or does not
    fit the data.
    """
    named = [view.name for view in recipe.views if "teacher" in view.evidence]
    if not asks(recipe.terms, "teacher") and not named:
        return Taught()
    features = any(term.taps for term in recipe.terms if "teacher" in term.evidence)
    fresh = [view.name for view in recipe.views if not view.recorded]
    if not fresh and not named and "outputs" in inputs:
        facts = inputs["outputs"].json(OUTPUTS)
        _same_classes(facts.get("classes"), classes)
        if facts["taps"] or not features:
            return _recorded(inputs["outputs"], facts["taps"] if features else [], rows, classes)
    if "teacher" not in inputs:
        asked = next((term.name for term in recipe.terms if "teacher" in term.evidence), named[0] if named else "")
        why = f"view {fresh[0]!r} changes the examples" if fresh else "its features were not recorded"
        lost = f"the live teacher, because {why}" if "outputs" in inputs else "a teacher"
        raise Refusal(f"fit: {asked!r} needs {lost}, and none was given")
    return _alive(recipe, inputs["teacher"], plugins, features, classes)


def _recorded(entry: Entry, taps: list[str], rows: Rows, classes: tuple[str, ...]) -> Taught:
    place = torch.from_numpy(places(rows.ids, np.asarray(entry.array("ids.npy"))))
    logits = torch.from_numpy(np.array(entry.array("logits.npy")))[place]
    _same_count(logits.shape[-1], len(classes))
    held = {name: torch.from_numpy(np.array(entry.array(f"tap.{name}.npy")))[place] for name in taps}
    shapes = {name: tuple(value.shape[1:]) for name, value in held.items()}
    return Taught(Recorded(logits, held), "recorded", shapes, _agreement(logits, rows.y))


def _alive(recipe: Recipe, entry: Entry, plugins: Plugins, features: bool, classes: tuple[str, ...]) -> Taught:
    teacher = artefacts.read(entry, plugins)
    if teacher.runtime != "torch":
        raise Refusal(f"fit: the teacher is a {teacher.runtime} artefact; a live teacher must be a torch artefact")
    _same_classes(teacher.facts.get("classes"), classes)
    _same_count(teacher.shape.classes, recipe.shape.classes)
    if dict(teacher.shape.inputs) != dict(recipe.shape.inputs):
        raise Refusal(
            f"fit: the teacher is for {artefacts.text_of(teacher.shape)}, the data are {artefacts.text_of(recipe.shape)}"
        )
    taps = expand(teacher.module, taps_of(teacher, plugins, "the teacher's")) if features else ()
    shapes = feature_shapes(teacher.module, recipe.shape, taps)
    del shapes["logits"]
    return Taught(live(teacher.module, taps), "live", shapes)


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
    if logits.ndim != 2 or y.ndim != 1:
        return ()
    share = float((logits.argmax(1).numpy() == y).mean())
    chance = 1 / logits.shape[1]
    return (
        ()
        if share > chance
        else (f"the teacher is right on {share:.1%} of the training labels; chance is {chance:.1%}: permuted?",)
    )
