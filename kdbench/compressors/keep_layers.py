"""Truncation: a transformer with some of its layers left out."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from kdbench import Artefact, Edit, Refusal, compressor

COUNTS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
"""How configurations call their number of layers."""

PLACES = ("layer_idx", "layer_id")
"""How layers call their own place, by which a cache of keys and values finds them."""


@compressor(accepts=("torch",), gives="torch", graph="parameters")
def keep_layers(artefact: Artefact, *, layers: list[int]) -> Artefact:
    """Keeps these layers of a transformer, 0 the first, and all else: embeddings, pooler, head.

    Convention of DistilBERT and of most truncated students: nothing is rescaled, a fit should follow. Layers are kept in their
    order and renumbered, so that writing with a cache works. The model of the artefact becomes the same one with fewer layers.
    Refuses a layer that is not there, and a network in which no single stack of layers is found (as one that has an encoder and
    a decoder).
    """
    module = copy.deepcopy(artefact.module)
    name, stack = _stack(module)
    kept = _chosen(layers, len(stack))
    assert artefact.model is not None
    params = _params(artefact.model.params, artefact.model.name, len(stack), kept)
    shorter = nn.ModuleList(stack[i] for i in kept)
    parent, _, last = name.rpartition(".")
    setattr(module.get_submodule(parent), last, shorter)
    for place, layer in enumerate(shorter):
        for part in layer.modules():
            for word in (word for word in PLACES if isinstance(getattr(part, word, None), int)):
                setattr(part, word, place)
    for config in {id(one): one for part in module.modules() if (one := getattr(part, "config", None)) is not None}.values():
        _shorten(config.__dict__, len(stack), kept)
    model = type(artefact.model)(artefact.model.name, params)
    edits = tuple(_renamed(edit, name, kept) for edit in artefact.edits)
    facts: dict[str, Any] = {**artefact.facts, "kept_layers": kept, "layers_before": len(stack)}
    return Artefact("torch", artefact.shape, model, module, edits, artefact.files, facts)


def _stack(module: nn.Module) -> tuple[str, nn.ModuleList]:
    """The one list of layers, all of a kind and with weights, that is not part of another."""
    found: dict[str, Any] = {}
    for name, part in module.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        alike = isinstance(part, nn.ModuleList) and len({type(layer) for layer in part}) == 1
        if alike and not inside and all(any(True for _ in layer.parameters()) for layer in part.children()):
            found[name] = part
    if len(found) != 1:
        raise Refusal(f"keep_layers: needs a network with one stack of layers; found {', '.join(found) or 'none'}")
    return next(iter(found.items()))


def _chosen(layers: Sequence[int], held: int) -> list[int]:
    lost = [layer for layer in layers if not 0 <= layer < held]
    if lost:
        raise Refusal(f"keep_layers: no layer {lost[0]}; the network has {held} (allowed: 0 to {held - 1})")
    if not layers or sorted(set(layers)) != list(layers):
        raise Refusal(f"keep_layers: layers {list(layers)} (allowed: one or more, each once, in ascending order)")
    return list(layers)


def _params(params: Mapping[str, Any], model: str, held: int, kept: list[int]) -> dict[str, Any]:
    """The parameters of the model, of fewer layers: its own `layers`, or what its configuration says."""
    made = copy.deepcopy(dict(params))
    if isinstance(made.get("config"), dict):
        if not _shorten(made["config"], held, kept):
            raise Refusal(f"keep_layers: the configuration of {model!r} does not say its {held} layers ({', '.join(COUNTS)})")
        return made
    return {**made, "layers": len(kept)}


def _shorten(config: dict[str, Any], held: int, kept: list[int]) -> bool:
    """Let a configuration say fewer layers, in place; whether it said how many it has."""
    said = [word for word in COUNTS if config.get(word) == held and not isinstance(config.get(word), bool)]
    for word in said:
        config[word] = len(kept)
    for word, value in list(config.items()):
        if word.startswith("layer_") and isinstance(value, list) and len(value) == held:
            config[word] = [value[i] for i in kept]
    return bool(said)


def _renamed(edit: Edit, stack: str, kept: list[int]) -> Edit:
    """An earlier edit as it is for the layers that stay."""
    arrays = {}
    for name, value in edit.arrays.items():
        found = re.match(rf"{re.escape(stack)}\.(\d+)\.(.*)", name)
        if found is None:
            arrays[name] = value
        elif int(found[1]) in kept:
            arrays[f"{stack}.{kept.index(int(found[1]))}.{found[2]}"] = value
    return Edit(edit.kind, edit.facts, arrays)
