"""Contenders: the steps that make them, the terms of a fit, and the recipe of training that each fit ends up with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdbench.nouns import Compress, Contender, Fit, Load, Refusal, Relabel, Start, Step, Term, Train, Use
from kdbench.registry import Plugins
from kdbench.suite.blocks import LOAD, TRAIN, defaults, given
from kdbench.suite.cursor import Cursor
from kdbench.suite.kinds import Kind, found, parse
from kdbench.suite.nodes import of
from kdbench.suite.schedules import weight
from kdbench.suite.uses import checkpoint, filled, use, uses

KINDS = ("start", "load", "relabel", "fit", "compress")
BESIDE_FIT = ("train", "teacher", "model", "recipe")
TEXT = Kind("str")


@dataclass(frozen=True, slots=True)
class Ground:
    """What every fit of a task starts from: the training settings of the suite and the task, and the student's model."""

    train: Mapping[str, Any]
    student: Use | None = None


def train(cursor: Cursor, plugins: Plugins) -> dict[str, Any]:
    """The training settings that are given here; the others stay as they are further out."""
    cursor.mapping((*TRAIN, "views"))
    settings = given(cursor, TRAIN)
    if "views" in cursor:
        settings["views"] = uses(cursor["views"], "view", plugins)
    return settings


def contender(cursor: Cursor, name: str, plugins: Plugins, ground: Ground) -> Contender:
    """A row of the board from its list of steps."""
    elements = cursor.elements("steps, each {start|load|relabel|fit|compress: ...}")
    if not elements and isinstance(cursor.node.value, tuple):
        cursor.refuse("found no step (allowed: at least one of start, load, relabel, fit, compress)")
    kinds = ["".join(kind for kind in KINDS if kind in element) for element in elements]
    steps = []
    for i, (element, kind) in enumerate(zip(elements, kinds, strict=True)):
        if kind in KINDS and kinds.count(kind) == 1:  # a step can be named by its kind: contenders.kd.fit
            element = cursor.put(element.node)
        steps.append(step(element, plugins, ground, first=set(kinds[:i]) <= {"relabel"}))
    return Contender(name, tuple(one for one in steps if one))


def teacher(cursor: Cursor, plugins: Plugins, ground: Ground) -> Contender:
    """The teacher: `{model, ..., fit, train}`, `{load}` or `{steps}`."""
    if "steps" in cursor:
        cursor.mapping(("steps",))
        return contender(cursor["steps"], "teacher", plugins, ground)
    if "load" in cursor:
        cursor.mapping(("load",))
        made = step(cursor, plugins, ground, first=True)
        return Contender("teacher", (made,) if made else ())
    if "model" not in cursor or "fit" not in cursor:
        if cursor.mapping(what="{model: ..., fit: ...}, {load: ...} or {steps: [...]}"):
            cursor.refuse("the teacher is not complete (allowed: {model: ..., fit: ...}, {load: ...} or {steps: [...]})")
        return Contender("teacher", ())
    model = use(cursor, "model", plugins, ("fit", "train"))
    return Contender("teacher", (_fit(cursor, plugins, Ground(ground.train, model), first=True),))


def step(cursor: Cursor, plugins: Plugins, ground: Ground, *, first: bool) -> Step | None:
    """One step: a mapping with exactly one of start, load, relabel, fit, compress; beside fit also train, teacher, model."""
    kinds = [kind for kind in KINDS if kind in cursor]
    if len(kinds) != 1:
        hint = "; braces keep keys together: [{fit: kd, train: {...}}]" if any(k in cursor for k in BESIDE_FIT) else ""
        what = found(cursor.node) if not cursor.is_mapping() else f"the keys {', '.join(cursor) or 'none'}"
        cursor.refuse(f"found {what} (allowed: a step, a mapping with exactly one of {', '.join(KINDS)}){hint}")
        return None
    (kind,) = kinds
    if kind == "fit":
        cursor.mapping(("fit", *BESIDE_FIT))
        return fit(cursor, plugins, ground, first=first)
    cursor.mapping((kind, "teacher") if kind == "relabel" else (kind,))
    if kind == "compress":
        compressor = use(cursor[kind], "compressor", plugins)
        return Compress(compressor) if compressor else None
    if kind == "relabel":
        relabeler = use(cursor[kind], "relabeler", plugins)
        source = cursor["teacher"].take(TEXT) if "teacher" in cursor else "teacher"
        return Relabel(relabeler, source or "") if relabeler else None
    if kind == "load":
        return _load(cursor[kind])
    text = cursor[kind].take(TEXT)
    return None if text is None else Start(text)


def _load(cursor: Cursor) -> Load | None:
    """A path or an id, alone or in a mapping with what is to be done to it."""
    if not cursor.is_mapping():
        text = cursor.take(TEXT)
        return None if text is None else Load(checkpoint(cursor, text))
    cursor.mapping(LOAD)
    settings = given(cursor, LOAD)
    if not settings.get("path"):
        cursor.refuse("the key 'path' is missing (allowed: a folder or a file)")
        return None
    return Load(checkpoint(cursor["path"], settings["path"]), settings.get("head") or "")


def fit(cursor: Cursor, plugins: Plugins, ground: Ground, *, first: bool) -> Fit:
    """A training step and what stands beside it."""
    model = use(cursor["model"], "model", plugins) if "model" in cursor else None
    if model and not first:
        cursor["model"].refuse("the earlier steps give the model already (allowed: model only in a first step)")
    if first and not model and "model" not in cursor:
        model = ground.student
        if model is None:
            cursor.refuse("no model to train (allowed: model beside fit, or a student for the task)")
    made = _fit(cursor, plugins, Ground(ground.train, model), first=first)
    source = cursor["teacher"].take(TEXT) if "teacher" in cursor else made.teacher
    recipe = _recipe(cursor["recipe"], made, plugins) if "recipe" in cursor else made.recipe
    return Fit(made.terms, made.train, made.model, source or "", recipe)


def _fit(cursor: Cursor, plugins: Plugins, ground: Ground, *, first: bool) -> Fit:
    """The terms and the training settings. From the outside in: suite, task, the method's paper, the fit itself."""
    terms, recipe, asked = (
        published(cursor["fit"], plugins) if cursor["fit"].is_text() else (_terms(cursor["fit"], plugins), "", {})
    )
    own = train(cursor["train"], plugins) if "train" in cursor else {}
    settings = {**defaults(Train), **ground.train, **asked, **own}
    return Fit(terms, Train(**settings), ground.student if first else None, recipe=recipe)


def published(cursor: Cursor, plugins: Plugins) -> tuple[tuple[Term, ...], str, dict[str, Any]]:
    """What the bare name of a method stands for: the terms of its recipe, its name, and its changes of training."""
    name = str(cursor.node.value)
    try:
        described = plugins.get("method", name)
    except Refusal as error:
        cursor.refuse(str(error))
        return (), "", {}
    recipe, changes = described.facts.get("recipe"), described.facts.get("train")
    where, origin = cursor.node.where, f"{cursor.path}: {described.path}"
    asked = train(cursor.put(of(changes, where), f"{origin}: train"), plugins) if changes else {}
    if recipe is not None:
        return _terms(cursor.put(of(recipe, where), f"{origin}: recipe"), plugins), name, asked
    only = filled(name, cursor, "method", plugins)
    return ((Term(only),) if only else ()), name, asked


def _recipe(cursor: Cursor, made: Fit, plugins: Plugins) -> str:
    """The claim of a resolved suite that its terms are a published recipe; checked, so that the board can repeat it."""
    name = cursor.take(TEXT)
    if not name or made.recipe == name:
        return name or ""
    if published(cursor, plugins)[0] != made.terms:
        cursor.refuse(f"the terms are not the recipe of {name!r} as it is here (allowed: that recipe, or no key 'recipe')")
    return str(name)


def _terms(cursor: Cursor, plugins: Plugins) -> tuple[Term, ...]:
    if not cursor.mapping(what="the name of a method, or a mapping of methods to weights"):
        return ()
    if not list(cursor):
        cursor.refuse("found no term (allowed: at least one method)")
    made = (_term(cursor[name], name, plugins) for name in cursor)
    return tuple(term for term in made if term)


def _term(cursor: Cursor, name: str, plugins: Plugins) -> Term | None:
    if name in BESIDE_FIT and name not in plugins.names("method"):
        cursor.refuse(f"{name!r} stands beside fit, not in it: {{fit: ..., {name}: ...}}")
        return None
    plain = not cursor.is_mapping() or "from" in cursor  # no parameter of a Python function can be called "from"
    bare = cursor.put(of({}, cursor.node.where)) if plain else cursor
    method = filled(name, bare, "method", plugins, ("weight", "start", "stop"))
    if plain:
        size = weight(cursor)
        return Term(method, size) if method else None
    size = weight(cursor["weight"]) if "weight" in cursor else 1.0
    start, stop = (cursor[k].take(parse("Fraction")) if k in cursor else v for k, v in (("start", 0.0), ("stop", 1.0)))
    if start is not None and stop is not None and start >= stop:
        cursor.refuse(f"found start {start:g} and stop {stop:g} (allowed: start below stop)")
    return Term(method, size, start, stop) if method else None
