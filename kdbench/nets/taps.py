"""Run a network and keep the features that it passes on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from kdbench.nouns import Outputs, Refusal

ROLES = ("query", "key", "value")
"""What an attention layer projects its input to."""

HEADS = ("num_attention_heads", "num_heads", "n_heads", "n_head")
"""How attention layers call their number of heads."""


def expand(module: nn.Module, taps: Sequence[str]) -> tuple[str, ...]:
    """The submodule names that `taps` stand for, shallow to deep: `stages.*` is every child of `stages`, in order, and
    `layer.*.query` the `query` of each. "*" stands for what the network itself lists as its `taps`: those of a network whose
    architecture is a parameter.

    Raises Refusal for a name that the network does not have.
    """
    known = dict(module.named_modules())
    names: list[str] = []
    listed = [one for tap in taps for one in (getattr(module, "taps", (tap,)) if tap == "*" else (tap,))]
    for tap in listed:
        parent, star, rest = tap.partition(".*")
        if parent not in known or not parent:
            raise Refusal(f"tap {tap!r}: the network {type(module).__name__} has no submodule {parent!r}")
        here = [f"{parent}.{child}{rest}" for child, _ in known[parent].named_children()] if star else [tap]
        lost = [name for name in here if name not in known]
        if lost:
            raise Refusal(f"tap {tap!r}: the network {type(module).__name__} has no submodule {lost[0]!r}")
        names += here
    return tuple(names)


def inner_names(module: nn.Module, declared: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The submodules behind the `inner` of a model, by role, layer by layer.

    Raises Refusal where a role is not declared, and where there is no layer, or not equally many for each role: a term about
    attention would be an empty sum.
    """
    lost = [role for role in ROLES if role not in declared]
    if lost:
        raise Refusal(f"attention: the model does not say what projects to its {lost[0]} (inner needs {', '.join(ROLES)})")
    names = {role: expand(module, (declared[role],)) for role in ROLES}
    counts = [len(names[role]) for role in ROLES]
    if not counts[0] or len(set(counts)) > 1:
        raise Refusal(f"attention: the network has {counts[0]} query, {counts[1]} key and {counts[2]} value projections")
    return names


def forward(
    module: nn.Module,
    x: Mapping[str, torch.Tensor],
    taps: Sequence[str] = (),
    inner: Mapping[str, Sequence[str]] | None = None,
) -> Outputs:
    """Call the network on its inputs in order; with `taps`, also the outputs of those submodules, shallow to deep; with `inner`
    (see `inner_names`), also the projections of its attention, apart by heads.

    x: name -> (b, ...), in the order of `Shape.inputs`. Gives logits (b, classes) or (b, length, vocabulary). Raises Refusal
    for a submodule that did not run or gives no tensor.
    """
    roles = inner or {}
    if not taps and not roles:
        return Outputs(module(*x.values()))
    names = expand(module, taps)
    seen: dict[str, torch.Tensor] = {}
    wanted = dict.fromkeys((*names, *(name for role in roles.values() for name in role)))
    handles = [module.get_submodule(name).register_forward_hook(_keep(seen, name)) for name in wanted]
    try:
        logits = module(*x.values())
    finally:
        for handle in handles:
            handle.remove()
    lost = [name for name in wanted if name not in seen]
    if lost:
        raise Refusal(f"tap {lost[0]!r} gave no tensor: the submodule did not run or gives something else")
    heads = {role: tuple(_by_head(module, name, seen[name]) for name in found) for role, found in roles.items()}
    return Outputs(logits, {name: seen[name] for name in names}, heads)


def _by_head(module: nn.Module, name: str, value: torch.Tensor) -> torch.Tensor:
    """A projection (b, length, heads * size) as (b, heads, length, size); the nearest module around it says how many heads."""
    parent = name
    while parent:
        parent = parent.rpartition(".")[0]
        around = module.get_submodule(parent)
        said = next((int(getattr(around, word)) for word in HEADS if isinstance(getattr(around, word, None), int)), 0)
        if said:
            if value.ndim != 3 or value.shape[2] % said:
                raise Refusal(f"attention: {name!r} gives {tuple(value.shape)}, which {said} heads cannot share")
            return value.reshape(*value.shape[:2], said, -1).transpose(1, 2)
    raise Refusal(f"attention: no module around {name!r} says its number of heads ({', '.join(HEADS)})")


def _keep(seen: dict[str, torch.Tensor], name: str) -> Callable[[nn.Module, Any, Any], None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            seen[name] = output

    return hook
