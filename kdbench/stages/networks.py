"""Torch networks of artefacts: rebuilt from a model's name and edits, their weights loaded strictly, and never unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn

from kdbench.nets.build import build
from kdbench.nouns import Edit, Refusal, Shape, Use
from kdbench.registry import Plugins, nearest


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


def weights(module: nn.Module) -> bytes:
    """The state of a network as a safetensors file; equal networks give equal bytes."""
    return safetensors.torch.save(weights_of(module))


def edits(made: tuple[Edit, ...]) -> bytes:
    """The arrays of all edits as a safetensors file, named "<i>.<name>"; no bytes where no edit has any."""
    arrays = {f"{i}.{name}": np.array(value) for i, edit in enumerate(made) for name, value in edit.arrays.items()}
    return safetensors.numpy.save(arrays) if arrays else b""


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
