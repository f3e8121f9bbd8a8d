"""Artefacts on disk: `artefact.json`, weights in safetensors (or the files of another runtime), and `record.json`.

A torch artefact is rebuilt from its model's name and parameters, its edits are replayed, and its weights are loaded strictly.
Nothing is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn

from kdbench.nets.build import build, in_order
from kdbench.nouns import Artefact, Edit, Json, Refusal, Shape, Use, plain
from kdbench.registry import Plugins, nearest
from kdbench.store import Draft, Entry

ARTEFACT, RECORD, WEIGHTS, EDITS = "artefact.json", "record.json", "weights.safetensors", "edits.safetensors"
_Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
TOTALS = ("cpu_seconds", "examples", "teacher_passes")


def read(entry: Entry, plugins: Plugins) -> Artefact:
    """The artefact of an entry; a torch network is rebuilt, loaded strictly and put in eval mode.

    Raises Refusal for weights that do not fit the network or are not finite.
    """
    facts = entry.json(ARTEFACT)
    shape = to_shape(facts["shape"])
    if facts["runtime"] != "torch":
        files = {name: entry.bytes(name) for name in facts["files"]}
        model = Use(**facts["model"]) if facts["model"] else None
        return Artefact(facts["runtime"], shape, model, None, (), files, facts["facts"])
    model = Use(**facts["model"])
    edits = read_edits(facts["edits"], entry.path / EDITS)
    module = rebuild(plugins, model, shape, edits)
    load_weights(module, entry.path / WEIGHTS)
    return Artefact("torch", shape, model, module, edits, {}, facts["facts"])


def write(draft: Draft, artefact: Artefact, record: Mapping[str, Json]) -> None:
    """Write an artefact and the record of its cost. Equal artefacts give equal bytes in every file but the record."""
    if artefact.runtime == "torch":
        if artefact.model is None:
            raise ValueError("a torch artefact needs the name of its model")
        draft.write(WEIGHTS, safetensors.torch.save(weights_of(artefact.module)))
        arrays = {f"{i}.{name}": np.array(value) for i, edit in enumerate(artefact.edits) for name, value in edit.arrays.items()}
        if arrays:
            draft.write(EDITS, safetensors.numpy.save(arrays))
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
    """The record with `chain`: its own costs added to those of the steps before it. A missing cost counts as none."""
    earlier = before.json(RECORD).get("chain", {}) if before is not None and RECORD in before.names() else {}
    return {**record, "chain": {name: _number(record.get(name)) + _number(earlier.get(name)) for name in TOTALS}}


def to_shape(facts: Mapping[str, Any]) -> Shape:
    """A Shape as it was written in JSON."""
    return Shape(facts["kind"], in_order(facts["kind"], facts["inputs"]), int(facts["classes"]), tuple(facts.get("levels", ())))


def rebuild(plugins: Plugins, model: Use, shape: Shape, edits: tuple[Edit, ...] = (), seed: int = 0) -> nn.Module:
    """The network of a model's name and parameters with its edits, in eval mode, freshly initialised from the seed."""
    allowed = [param.name for param in plugins.get("model", model.name).params]
    for name in model.params:
        if name not in allowed:
            raise Refusal(f"model {model.name!r} has no parameter {name!r}{nearest(name, allowed)}")
    plugin, _ = plugins.load("model", model.name)
    return build(plugin, model, shape, seed=seed, edits=edits).eval()


def weights_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """The state of a network, contiguous, each shared tensor once (under the first of its names)."""
    held: dict[str, torch.Tensor] = {}
    seen: set[tuple[int, torch.Size, tuple[int, ...]]] = set()
    for name, value in sorted(module.state_dict().items()):
        place = (value.data_ptr(), value.shape, value.stride())
        if value.numel() and place in seen:
            continue
        seen.add(place)
        held[name] = value.detach().contiguous()
    return held


def load_weights(module: nn.Module, path: Path) -> None:
    """Copy a safetensors file into the network, strictly.

    Raises Refusal with what is missing, unexpected, mismatched or not finite.
    """
    wanted, known = weights_of(module), module.state_dict()
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            names = list(file.keys())
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
            _compare({k: tuple(v.shape) for k, v in wanted.items()}, {k: tuple(v.shape) for k, v in known.items()}, shapes)
            with torch.no_grad():
                for name in names:
                    known[name].copy_(_sound(name, file.get_tensor(name), known[name]))
    except safetensors.SafetensorError as error:
        raise Refusal(f"{path.name} is not a whole safetensors file: {str(error).splitlines()[0][:200]}") from None


def read_edits(listed: list[Any], path: Path) -> tuple[Edit, ...]:
    """The edits of an artefact, in order, with their arrays."""
    try:
        arrays = safetensors.numpy.load_file(path) if path.is_file() else {}
    except safetensors.SafetensorError as error:
        raise Refusal(f"{path.name} is not a whole safetensors file: {str(error).splitlines()[0][:200]}") from None
    edits = []
    for i, edit in enumerate(listed):
        mine = {name.split(".", 1)[1]: value for name, value in arrays.items() if name.startswith(f"{i}.")}
        edits.append(Edit(edit["kind"], edit.get("facts", {}), mine))
    return tuple(edits)


def _compare(
    wanted: Mapping[str, tuple[int, ...]], known: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> None:
    missing = sorted(set(wanted) - set(found))
    unexpected = sorted(set(found) - set(known))
    wrong = sorted(name for name in set(found) & set(known) if found[name] != known[name])
    if not (missing or unexpected or wrong):
        return
    parts = [
        f"{len(names)} {what} ({_some(names)})" for what, names in (("missing", missing), ("unexpected", unexpected)) if names
    ]
    if wrong:
        first = wrong[0]
        parts.append(f"{len(wrong)} of another shape ({first}: file {found[first]}, network {known[first]})")
    stripped = all(name.startswith("module.") for name in found) and found
    hint = "; all names start with 'module.' (DataParallel): save `model.module.state_dict()` instead" if stripped else ""
    raise Refusal(f"weights do not fit the network: {', '.join(parts)}{hint}")


def _sound(name: str, value: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    if value.is_floating_point() != place.is_floating_point():
        raise Refusal(f"weights of {name!r} are {value.dtype}, the network has {place.dtype}")
    if value.is_floating_point():
        bad = int((~torch.isfinite(value)).sum())
        if bad:
            raise Refusal(f"weights of {name!r}: {bad} of {value.numel()} numbers are not finite")
    return value


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _number(value: Json) -> int | float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def text_of(shape: Shape) -> str:
    """A shape in a few words, for a refusal."""
    inputs = ", ".join(f"{name} {'x'.join(str(n) for n in size)}" for name, size in shape.inputs.items())
    return f"{shape.kind} ({inputs}) with {shape.classes} classes"
