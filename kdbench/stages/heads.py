"""The head of a checkpoint: which tensors belong to it, what may be new in it, and its classes in the order of the data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from kdbench.nouns import Refusal, Shape

NEW = "new"
"""The head of a step that asks for a fresh one."""

HEADS = (
    "cls", "classifier", "pre_classifier", "score", "lm_head", "qa_outputs", "pooler", "classification_head", "vocab_transform",
    "vocab_layer_norm", "vocab_projector", "discriminator_predictions", "generator_lm_head", "generator_predictions",
    "predictions",
)  # fmt: skip
"""How the library calls what stands on top of a network for one task, and is of no use to another."""

UNNAMED = re.compile(r"LABEL_\d+")


@dataclass(frozen=True, slots=True)
class Found:
    """The library's network with the tensors of a folder, and what did not fit: names missing there, names that nothing takes,
    and those of another shape, name -> (in the file, in the network).
    """

    network: Any
    missing: frozenset[str]
    unexpected: frozenset[str]
    mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of a head. config: the content of config.json; classes: of the data, in the order of their labels."""

    config: Mapping[str, Any]
    classes: tuple[str, ...]
    shape: Shape
    head: str


def judge(network: nn.Module, found: Found, task: Task) -> tuple[frozenset[str], list[str]]:
    """(the names of the tensors that are to stay fresh, notes). Raises Refusal, with names, for all that may not be."""
    body = str(getattr(network, "base_model_prefix", ""))
    mine = frozenset(name for name in network.state_dict() if task.shape.answer == "class" and _of_head(name, body))
    new = task.head == NEW
    lost = found.missing - mine
    wrong = {name: sizes for name, sizes in found.mismatched.items() if not (new and name in mine)}
    absent = found.missing & mine
    spare = task.shape.answer == "vector" or new or bool(absent)
    left = frozenset(name for name in found.unexpected if not (spare and _of_some_head(name)))
    if lost or left:
        parts = [f"{_some(names)} {what}" for names, what in ((lost, "missing"), (left, "unexpected")) if names]
        wrapped = found.unexpected and all(name.startswith("module.") for name in found.unexpected)
        hint = "; all names start with 'module.' (DataParallel): save `model.module` instead" if wrapped else ""
        raise Refusal(f"weights do not fit the network: {', '.join(parts)}{hint}")
    if wrong:
        name, (there, here) = next(iter(sorted(wrong.items())))
        if name in mine and there[0] != here[0]:
            raise Refusal(f"its head is for {there[0]} classes, the data have {here[0]} (allowed before a fit: head: {NEW})")
        raise Refusal(f"{len(wrong)} weights of another shape ({name}: file {there}, network {here})")
    if absent and not new:
        why = f"the checkpoint has no head for this task: {_some(absent)} missing; an untrained one knows nothing"
        raise Refusal(f"{why} (allowed before a fit: head: {NEW})")
    fresh = frozenset(name for name in mine if name in absent or (new and ".pooler." not in name))
    notes = [f"a new head, from a fixed seed: {_some(fresh)}"] if fresh else []
    if found.unexpected:
        notes.append(f"left out, being of another task's head: {_some(found.unexpected)}")
    return fresh, notes


def align(network: nn.Module, task: Task) -> list[str]:
    """Put the rows of a head that is kept in the order of the data's classes, by name. Gives notes.

    Raises Refusal, with both lists, where the names are not the same.
    """
    if task.shape.answer != "class" or task.head == NEW:
        return []
    found = _names(task.config)
    if not found:
        return [f"its classes have no names: taken to be in the order of the data ({_list(task.classes)})"]
    rows = _order(found, task.classes)
    if rows == list(range(len(rows))):
        return []
    _reorder(network, str(getattr(network, "base_model_prefix", "")), rows)
    return [f"its classes ({_list(found)}) were put in the order of the data ({_list(task.classes)})"]


def _of_head(name: str, body: str) -> bool:
    return not name.startswith(f"{body}.") or ".pooler." in name


def _of_some_head(name: str) -> bool:
    return bool({*name.split(".")[:2]} & set(HEADS))


def _names(config: Mapping[str, Any]) -> list[str]:
    """The names of the classes in the order of the head's rows; [] where the configuration has none, or only LABEL_0, LABEL_1."""
    said = config.get("id2label")
    if said is None and isinstance(config.get("label2id"), dict):
        said = {number: name for name, number in config["label2id"].items()}
    if said is None:
        return []
    try:
        held = {int(number): str(name) for number, name in said.items()}
        found = [held[i] for i in range(len(said))]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Refusal("config.json: id2label must give a name to each number from 0") from None
    return [] if all(UNNAMED.fullmatch(name) for name in found) else found


def _order(found: Sequence[str], classes: Sequence[str]) -> list[int]:
    """For each class of the data, the row of the head that stands for it, by name, whatever its case."""
    rows = {_same(name): i for i, name in enumerate(found)}
    wanted = [_same(name) for name in classes]
    if len(rows) != len(found) or sorted(rows) != sorted(wanted):
        both = f"the checkpoint's classes are {_list(found)}, the data's {_list(classes)}"
        raise Refusal(f"{both}; they must have the same names, in any order")
    return [rows[name] for name in wanted]


def _reorder(network: nn.Module, body: str, rows: Sequence[int]) -> None:
    layers = [m for name, m in network.named_modules() if isinstance(m, nn.Linear) and _of_head(f"{name}.", body)]
    last = next((layer for layer in reversed(layers) if layer.out_features == len(rows)), None)
    if last is None:
        raise Refusal("its classes stand in another order than the data's, and its head has no rows that could be moved")
    with torch.no_grad():
        index = torch.tensor(list(rows))
        for value in (last.weight, last.bias):
            if value is not None:
                value.copy_(value[index].clone())


def _some(names: Iterable[str]) -> str:
    held = sorted(names)
    return f"{len(held)} ({', '.join(held[:3])}{', ...' if len(held) > 3 else ''})"


def _same(name: str) -> str:
    return name.strip().casefold()


def _list(found: Sequence[str]) -> str:
    return ", ".join(found[:10]) + (f", ... ({len(found)})" if len(found) > 10 else "")
