"""Artefacts on disk: `artefact.json`, weights in safetensors (or the files of another runtime), and `record.json`.

A torch artefact is rebuilt from its model's name and parameters, its edits are replayed, and its weights are loaded strictly.
Nothing is ever unpickled. One that was made for texts elsewhere has its own `tokenizer.json` among its files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kdbench.nouns import Artefact, Json, Shape, Use, plain
from kdbench.registry import Plugins
from kdbench.stages.samples import INPUTS
from kdbench.store import Draft, Entry

ARTEFACT, RECORD, WEIGHTS, EDITS = "artefact.json", "record.json", "weights.safetensors", "edits.safetensors"
TOTALS = ("cpu_seconds", "examples", "teacher_passes")


def read(entry: Entry, plugins: Plugins) -> Artefact:
    """The artefact of an entry; a torch network is rebuilt, loaded strictly and put in eval mode.

    Raises Refusal for weights that do not fit the network or are not finite.
    """
    facts = entry.json(ARTEFACT)
    shape = to_shape(facts["shape"])
    files = {name: entry.bytes(name) for name in facts["files"]}
    if facts["runtime"] != "torch":
        model = Use(**facts["model"]) if facts["model"] else None
        return Artefact(facts["runtime"], shape, model, None, (), files, facts["facts"])
    from kdbench.stages import networks  # noqa: PLC0415 - artefacts of other runtimes are read without torch

    model = Use(**facts["model"])
    edits = networks.read_edits(facts["edits"], entry.path / EDITS)
    module = networks.rebuild(plugins, model, shape, edits)
    networks.load_weights(module, entry.path / WEIGHTS)
    return Artefact("torch", shape, model, module, edits, files, facts["facts"])


def write(draft: Draft, artefact: Artefact, record: Mapping[str, Json]) -> None:
    """Write an artefact and the record of its cost. Equal artefacts give equal bytes in every file but the record."""
    if artefact.runtime == "torch":
        from kdbench.stages import networks  # noqa: PLC0415 - as above

        if artefact.model is None:
            raise ValueError("a torch artefact needs the name of its model")
        draft.write(WEIGHTS, networks.weights(artefact.module))
        arrays = networks.edits(artefact.edits)
        if arrays:
            draft.write(EDITS, arrays)
    for name, data in artefact.files.items():
        draft.write(name, data)
    facts = {
        "runtime": artefact.runtime,
        "shape": plain(artefact.shape),
        "model": plain(artefact.model),
        "edits": [{"kind": edit.kind, "facts": plain(edit.facts)} for edit in artefact.edits],
        "files": sorted(artefact.files),
        "facts": plain(artefact.facts),
    }
    draft.json(ARTEFACT, facts)
    draft.json(RECORD, dict(record))


def chained(record: Mapping[str, Json], before: Entry | None) -> dict[str, Json]:
    """The record with `chain`: its own costs added to those of the steps before it. A missing cost counts as none, but a missing
    energy makes the sum unknown.

    The chain also says through which artefacts it went (`through`, keys), so that what led to the teacher can be told from what
    was done since, and whether its start was made elsewhere.
    """
    earlier = before.json(RECORD).get("chain", {}) if before is not None and RECORD in before.names() else {}
    parity: Any = record.get("parity") or {}
    elsewhere = bool(parity.get("made_elsewhere"))
    own = {"joules": None, "reason": "made elsewhere: there is no record of it"} if elsewhere else record.get("energy")
    chain: dict[str, Json] = {name: _number(record.get(name)) + _number(earlier.get(name)) for name in TOTALS}
    chain["energy"] = together([own, earlier.get("energy")] if before is not None else [own])
    chain["through"] = [*earlier.get("through", []), before.key] if before is not None else []
    chain["elsewhere"] = elsewhere or bool(earlier.get("elsewhere"))
    return {**record, "chain": chain}


def together(parts: Sequence[Any]) -> dict[str, Json]:
    """The joules of several pieces of work, {"joules", "reason"} each; unknown, with the first reason, where those of one are."""
    for part in parts:
        if not part or part.get("joules") is None:
            return {"joules": None, "reason": str((part or {}).get("reason") or "the energy of a step was not recorded")}
    return {"joules": sum(float(part["joules"]) for part in parts), "reason": ""}


def to_shape(facts: Mapping[str, Any]) -> Shape:
    """A Shape as it was written in JSON."""
    kind, held = facts["kind"], facts["inputs"]
    names = [name for name in INPUTS.get(kind, ()) if name in held]  # JSON objects are read back sorted by name
    names += [name for name in held if name not in names]
    inputs = {name: tuple(int(size) for size in held[name]) for name in names}
    levels, answer = tuple(facts.get("levels", ())), str(facts.get("answer", "class"))
    padding, separator = int(facts.get("padding", 0)), int(facts.get("separator", -1))
    return Shape(kind, inputs, int(facts["classes"]), levels, answer, padding, separator)


def _number(value: Json) -> int | float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def text_of(shape: Shape) -> str:
    """A shape in a few words, for a refusal."""
    inputs = ", ".join(f"{name} {'x'.join(str(n) for n in size)}" for name, size in shape.inputs.items())
    asked = f"{shape.classes} classes" if shape.answer == "class" else f"the answer {shape.answer!r}"
    return f"{shape.kind} ({inputs}) with {asked}"
