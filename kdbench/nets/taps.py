"""Run a network and keep the features that it passes on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from kdbench.nouns import Outputs, Refusal


def expand(module: nn.Module, taps: Sequence[str]) -> tuple[str, ...]:
    """The submodule names that `taps` stand for, shallow to deep: `stages.*` is every child of `stages`, in order.

    Raises Refusal for a name that the network does not have.
    """
    names: list[str] = []
    known = dict(module.named_modules())
    for tap in taps:
        parent = tap.removesuffix(".*")
        if parent not in known or not parent:
            raise Refusal(f"tap {tap!r}: the network {type(module).__name__} has no submodule {parent!r}")
        names += [f"{parent}.{child}" for child, _ in known[parent].named_children()] if tap.endswith(".*") else [tap]
    return tuple(names)


def forward(module: nn.Module, x: Mapping[str, torch.Tensor], taps: Sequence[str] = ()) -> Outputs:
    """Call the network on its inputs in order; with `taps`, also the outputs of those submodules, shallow to deep.

    x: name -> (b, ...), in the order of `Shape.inputs`. Gives logits (b, classes) or (b, length, vocabulary).
    """
    if not taps:
        return Outputs(module(*x.values()))
    names = expand(module, taps)
    seen: dict[str, torch.Tensor] = {}
    handles = [module.get_submodule(name).register_forward_hook(_keep(seen, name)) for name in names]
    try:
        logits = module(*x.values())
    finally:
        for handle in handles:
            handle.remove()
    lost = [name for name in names if name not in seen]
    if lost:
        raise Refusal(f"tap {lost[0]!r} gave no tensor: the submodule did not run or gives something else")
    return Outputs(logits, {name: seen[name] for name in names})


def _keep(seen: dict[str, torch.Tensor], name: str) -> Callable[[nn.Module, Any, Any], None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            seen[name] = output

    return hook
