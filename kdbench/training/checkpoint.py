"""The mutable state of a running fit, so that a killed one goes on at its last saved epoch and ends in the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from kdbench.training.cohort import Member

FACTS = "state.json"


@dataclass(slots=True)
class Progress:
    """How far a fit is. epochs: done; history: one entry an epoch; best: weights of the best epoch so far, by name."""

    epochs: int = 0
    steps: int = 0
    examples: int = 0
    teacher_passes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    resumed: int = 0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, torch.Tensor] = field(default_factory=dict)


def save(folder: Path, members: Sequence[Member], progress: Progress) -> None:
    """Write the state of all members: tensors in a file of this epoch, then the facts that name it, renamed into place."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"best.{name}": value.contiguous() for name, value in progress.best.items()}
    for i, one in enumerate(members):
        tensors |= {f"{i}.module.{k}": v.detach().clone().contiguous() for k, v in one.module.state_dict().items()}
        for term, state in one.states.items():
            tensors |= {f"{i}.state.{term}.{k}": v.detach().clone().contiguous() for k, v in state.state_dict().items()}
        for number, held in one.optimizer.state_dict()["state"].items():
            tensors |= {f"{i}.optimizer.{number}.{k}": v.contiguous() for k, v in held.items() if isinstance(v, torch.Tensor)}
    data = safetensors.torch.save(tensors)
    name = f"epoch-{progress.epochs:06d}.safetensors"
    facts = {k: v for k, v in asdict(_light(progress)).items() if k != "best"}
    _put(folder / name, data)
    body = {"tensors": name, "sha256": hashlib.sha256(data).hexdigest(), "progress": facts}
    _put(folder / FACTS, json.dumps(body, allow_nan=False).encode())
    for old in folder.glob("epoch-*.safetensors"):
        if old.name != name:
            old.unlink(missing_ok=True)


def restore(folder: Path, members: Sequence[Member]) -> Progress | None:
    """Bring the members back to the saved state. None, with the members untouched, where there is none that is whole."""
    try:
        facts = json.loads((folder / FACTS).read_bytes())
        data = (folder / facts["tensors"]).read_bytes()
        progress = Progress(**facts["progress"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if hashlib.sha256(data).hexdigest() != facts["sha256"]:
        return None
    tensors = safetensors.torch.load(data)
    progress.best = _below(tensors, "best.")
    progress.resumed += 1
    for i, one in enumerate(members):
        one.module.load_state_dict(_below(tensors, f"{i}.module."))
        for term, state in one.states.items():
            state.load_state_dict(_below(tensors, f"{i}.state.{term}."))
        _restore_optimizer(one.optimizer, _below(tensors, f"{i}.optimizer."))
        one.remember()
    return progress


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        place = parameters[int(number)]
        # a momentum buffer must lie in memory as its parameter does: the fused kernels walk both in one go
        laid = torch.empty_like(place).copy_(value) if value.shape == place.shape else value
        state.setdefault(int(number), {})[name] = laid
    for place_number, held in state.items():
        optimizer.state[parameters[place_number]].update(held)


def _below(tensors: dict[str, torch.Tensor], start: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def _light(progress: Progress) -> Progress:
    return Progress(**{name: getattr(progress, name) for name in Progress.__slots__ if name != "best"})


def _put(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    with open(beside, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
