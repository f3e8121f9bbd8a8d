"""Structured pruning, for the compressors of this folder: whole channels leave the network, and which is recorded."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch_pruning as tp  # type: ignore[import-untyped]
from torch import nn

from kdbench import Artefact, Refusal, apply_edit, channels, example

NORMS = {"l1": 1, "l2": 2}


def prune(artefact: Artefact, ratio: float, importance: str, *, across: bool) -> Artefact:
    """The artefact without its least important channels.

    across: rank the channels of all layers against each other, rather than cutting the same share of each layer.
    The last layer keeps its outputs. Raises Refusal where the network's structure cannot be followed.
    """
    name = artefact.model.name if artefact.model else type(artefact.module).__name__
    rows = tuple(example(artefact.shape, 2).values())
    module = copy.deepcopy(artefact.module).eval()
    before = sum(p.numel() for p in module.parameters())
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=()):
            warnings.simplefilter("ignore")
            kept = _cut(module, rows, ratio, NORMS[importance], across)
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:160]
        raise Refusal(
            f"channel pruning: the structure of {name!r} cannot be followed: {type(error).__name__}: {first}"
        ) from error
    if not kept:
        alone = len(_multiplying(module)) <= 1
        why = "its only layer is the output" if alone else "no layer of a kind that can be cut gives channels to another"
        raise Refusal(f"channel pruning: {name!r} has no channels to remove at ratio {ratio} ({why})")
    edit = channels(kept)
    rebuilt = _replayed(artefact.module, edit, name)
    _same(module, rebuilt, rows, name)
    facts = {**artefact.facts, "parameters_before": before, "parameters_after": sum(p.numel() for p in rebuilt.parameters())}
    return Artefact("torch", artefact.shape, artefact.model, rebuilt, (*artefact.edits, edit), {}, facts)


def _cut(
    module: nn.Module, rows: tuple[torch.Tensor, ...], ratio: float, norm: int, across: bool
) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Prune in place. Gives, for each layer and side that lost channels, the numbers of the channels that it kept."""
    names = {id(m): name for name, m in module.named_modules()}
    for parameter in module.parameters():  # the tracer follows gradients
        parameter.requires_grad_(True)
    pruner = tp.pruner.BasePruner(
        module,
        rows,
        importance=tp.importance.GroupMagnitudeImportance(p=norm),
        global_pruning=across,
        pruning_ratio=ratio,
        max_pruning_ratio=max(ratio, 0.95),
        ignored_layers=_outputs(module, rows),
    )
    kept: dict[str, dict[str, np.ndarray]] = {}
    for group in pruner.step(interactive=True):
        for layer, side, size, gone in _losses(pruner.DG, group):
            sides = kept.setdefault(names[id(layer)], {})
            sides[side] = np.delete(sides.get(side, np.arange(size)), sorted(set(gone)))
        group.prune()
    return kept


def _losses(graph: Any, group: Any) -> Iterator[tuple[nn.Module, str, int, list[int]]]:
    """(layer, side, its channels now, the channels that it loses), each side of a layer once. Plain operations lose nothing."""
    seen: dict[tuple[int, str], tuple[nn.Module, int, set[int]]] = {}
    for dep, gone in group:
        layer = dep.target.module
        if not isinstance(layer, nn.Module):
            raise ValueError("a parameter that belongs to no layer would have to be cut")
        if not any(True for _ in layer.parameters()) and not any(True for _ in layer.buffers()):
            continue
        pruner = graph.get_pruner_of_module(layer)
        out = graph.is_out_channel_pruning_fn(dep.handler)
        # A normalisation layer or a depthwise convolution has one side only.
        both = isinstance(layer, nn.modules.batchnorm._BatchNorm | nn.LayerNorm) or _depthwise(layer)
        side = "out" if out or both else "in"
        size = pruner.get_out_channels(layer) if side == "out" else pruner.get_in_channels(layer)
        seen.setdefault((id(layer), side), (layer, size, set()))[2].update(int(i) for i in gone)
    for (_, side), (layer, size, lost) in seen.items():
        yield layer, side, size, sorted(lost)


def _depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels == layer.out_channels and layer.groups > 1


def _outputs(module: nn.Module, rows: tuple[torch.Tensor, ...]) -> list[nn.Module]:
    """The layers that give the logits: those whose output reaches the end through no other layer with weights."""
    last: list[nn.Module] = []
    handles = [m.register_forward_hook(lambda layer, _inputs, _output: last.append(layer)) for m in _multiplying(module)]
    try:
        with torch.no_grad():
            module(*rows)
    finally:
        for handle in handles:
            handle.remove()
    return last[-1:]


def _multiplying(module: nn.Module) -> list[nn.Module]:
    """The convolutions and linear layers; `transformers` writes the latter as Conv1D in some networks."""
    kinds = nn.Linear | nn.modules.conv._ConvNd
    return [m for m in module.modules() if isinstance(m, kinds) or type(m).__name__ == "Conv1D"]


def _replayed(original: nn.Module, edit: Any, name: str) -> nn.Module:
    """The original network with the recorded edit: what will be opened later, so what is handed on now."""
    rebuilt = copy.deepcopy(original)
    try:
        apply_edit(rebuilt, edit)
    except Refusal as error:
        raise Refusal(f"channel pruning of {name!r}: {error}") from None
    return rebuilt.eval()


def _same(pruned: nn.Module, rebuilt: nn.Module, rows: tuple[torch.Tensor, ...], name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(r.shape, generator=generator) if r.is_floating_point() else r for r in rows]
    with torch.no_grad():
        try:
            equal = torch.equal(pruned(*noise), rebuilt(*noise))
        except RuntimeError:
            equal = False
    if not equal:
        raise Refusal(f"channel pruning: what was cut from {name!r} cannot be recorded as channels of its layers")
