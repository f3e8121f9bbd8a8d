"""A checkpoint folder of transformers, read without trust: plain files, with limits, weights in safetensors alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from kdbench import files, hub
from kdbench.nouns import Refusal

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
LARGEST_JSON = 2**24
LARGEST_HEADER = 2**24
LARGEST_WEIGHTS = 2**36
MOST_SHARDS = 1000
"""Bytes of a JSON file, of the header of a file of weights and of all weights, and files of weights, that are read at most."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
FLOATS: Mapping[str, int] = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2}
"""The types that weights may have, and the bytes of one number."""

COUNTS = (".position_ids", ".num_batches_tracked", ".attn.bias", ".attn.masked_bias", ".token_type_ids")
"""Ends of the names of tensors that are no weights."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors that a folder holds, unread. shapes, types: name -> shape, name -> type as safetensors writes it ("F32")."""

    shapes: Mapping[str, tuple[int, ...]]
    types: Mapping[str, str]

    @property
    def numbers(self) -> int:
        """How many numbers all tensors hold."""
        total = 0
        for shape in self.shapes.values():
            size = 1
            for length in shape:
                size *= length
            total += size
        return total


def facts(folder: Path, name: str) -> dict[str, Any]:
    """The JSON mapping in a file of the folder. Raises Refusal for anything else."""
    found = _parsed(folder, name)
    if not isinstance(found, dict):
        raise Refusal(f"{name} must hold a mapping, not {type(found).__name__}")
    return found


def listed(folder: Path, name: str) -> list[Any]:
    """The JSON list in a file of the folder. Raises Refusal for anything else."""
    found = _parsed(folder, name)
    if not isinstance(found, list):
        raise Refusal(f"{name} must hold a list, not {type(found).__name__}")
    return found


def present(folder: Path, name: str) -> bool:
    """Whether there is anything of this name, a link too."""
    return (folder / name).is_symlink() or (folder / name).exists()


def sound(folder: Path, name: str) -> None:
    """Raises Refusal for a link that leads elsewhere, and for what is no regular file; a name that is not there is sound."""
    if present(folder, name):
        _plain(folder, name)


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors themselves, as they are stored, from files that `weights` has checked."""
    names = [WEIGHTS] if present(folder, WEIGHTS) else sorted(set(facts(folder, INDEX)["weight_map"].values()))
    held: dict[str, torch.Tensor] = {}
    for name in names:
        held |= safetensors.torch.load_file(_plain(folder, name))
    return held


def weights(folder: Path) -> Weights:
    """The tensors of model.safetensors, or of the files that its index names. Raises Refusal for files that are not whole, for
    names that lead elsewhere, for weights that are no floating-point numbers, and where there are only pickles.
    """
    if present(folder, ADAPTER):
        raise Refusal(
            f"{ADAPTER}: an adapter (PEFT) changes another model: merge it first (merge_and_unload), and save the whole"
        )
    if present(folder, WEIGHTS):
        return _weights(folder, {WEIGHTS: None})
    if not present(folder, INDEX):
        pickles = [p.name for p in sorted(folder.iterdir()) if p.suffix in PICKLES]
        hint = f"; {pickles[0]} may hold code: write its tensors with safetensors.torch.save_file" if pickles else ""
        raise Refusal(f"there is no {WEIGHTS}{hint}")
    held = facts(folder, INDEX).get("weight_map")
    if not isinstance(held, dict) or not all(isinstance(name, str) for name in held.values()):
        raise Refusal(f"{INDEX} must hold a weight_map, name -> file")
    shards: dict[str, set[str] | None] = {}
    for tensor, name in held.items():
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise Refusal(f"{INDEX} names {name[:80]!r} (allowed: the plain name of a .safetensors file beside it)")
        kept = shards.setdefault(name, set())
        assert kept is not None
        kept.add(tensor)
    if not 0 < len(shards) <= MOST_SHARDS:
        raise Refusal(f"{INDEX} names {len(shards)} files (allowed: 1 to {MOST_SHARDS})")
    return _weights(folder, shards)


def _weights(folder: Path, shards: Mapping[str, set[str] | None]) -> Weights:
    shapes: dict[str, tuple[int, ...]] = {}
    types: dict[str, str] = {}
    paths = {name: _plain(folder, name) for name in shards}
    total = sum(path.stat().st_size for path in paths.values())
    if total > LARGEST_WEIGHTS:
        raise Refusal(f"the weights have {total} bytes, more than {LARGEST_WEIGHTS}")
    for name, path in paths.items():
        _header(name, path)
        try:
            with safetensors.safe_open(path, framework="numpy") as file:
                keys = list(file.keys())
                for key in keys:
                    part = file.get_slice(key)
                    shapes[key], types[key] = tuple(part.get_shape()), str(part.get_dtype())
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise Refusal(f"{name} is not a whole safetensors file: {str(error).splitlines()[0][:200]}") from None
        expected = shards[name]
        if expected is not None and expected != set(keys):
            lost = sorted(expected ^ set(keys))
            raise Refusal(f"{INDEX} and {name} do not hold the same tensors ({len(lost)} differ, {lost[0][:80]})")
    packed = [key for key, kind in types.items() if kind not in FLOATS and not key.endswith(COUNTS)]
    if packed:
        raise Refusal(f"weights of {packed[0][:80]!r} are {types[packed[0]]} (allowed: {', '.join(FLOATS)})")
    return Weights(shapes, types)


def _header(name: str, path: Path) -> None:
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if size < 8 or header > min(LARGEST_HEADER, size - 8):
        raise Refusal(f"{name} is not a whole safetensors file (its header says {header} bytes)")


def _plain(folder: Path, name: str) -> Path:
    place = folder / name
    if not present(folder, name):
        raise Refusal(f"there is no {name}")
    found = hub.behind(place)
    if found is None:
        raise Refusal(f"{name} is not a plain file (links are not followed, but those of the hub's cache to its own blobs)")
    return found


def _parsed(folder: Path, name: str) -> Any:
    path = _plain(folder, name)
    try:
        return json.loads(files.read(path, LARGEST_JSON).decode("utf-8"), parse_constant=_no_constant)
    except OSError as error:
        raise Refusal(f"{name} {error.strerror or 'cannot be read'}") from None
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{name} is not plain JSON: {str(error)[:200]}") from None


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")
