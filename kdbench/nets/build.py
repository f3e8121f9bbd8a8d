"""Build a network from the use of a model plugin and the shape of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

from kdbench.nets.edits import apply_edit
from kdbench.nets.taps import forward
from kdbench.nouns import Edit, Refusal, Shape, Use

_FLOATING = ("image", "numeric", "audio")


def build(plugin: Callable[..., Any], model: Use, shape: Shape, *, seed: int = 0, edits: Iterable[Edit] = ()) -> nn.Module:
    """The network that `model` describes for data of this shape, with fresh weights that depend on the seed alone.

    plugin: the loaded model plugin. Raises Refusal where the model does not take this kind of data, or gives other logits than
    (b, classes). The random state of the caller is left as it was.
    """
    kinds = getattr(plugin, "facts", {}).get("kinds", ())
    if kinds and shape.kind not in kinds:
        raise Refusal(f"model {model.name!r} takes {' or '.join(kinds)} data, not {shape.kind}")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        module = plugin(shape, **dict(model.params))
    if not isinstance(module, nn.Module):
        raise Refusal(f"model {model.name!r} gives {type(module).__name__}, not a torch module")
    for edit in edits:
        apply_edit(module, edit)
    _check(module, model.name, shape)
    return module


def example(shape: Shape, batch: int = 2) -> dict[str, torch.Tensor]:
    """A batch of zeros that a model of this shape accepts."""
    return {
        name: torch.zeros((batch, *size), dtype=torch.float32 if name in _FLOATING else torch.int64)
        for name, size in shape.inputs.items()
    }


def feature_shapes(module: nn.Module, shape: Shape, taps: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The per-example shape of the logits (under "logits") and of each tap. The network is left as it was."""
    was = module.training
    module.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=()):
            outputs = forward(module, example(shape), taps)
    finally:
        module.train(was)
    return {"logits": tuple(outputs.logits.shape[1:]), **{name: tuple(value.shape[1:]) for name, value in outputs.taps.items()}}


def _check(module: nn.Module, name: str, shape: Shape) -> None:
    try:
        logits = feature_shapes(module, shape, ())["logits"]
    except Refusal:
        raise
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0][:200]
        raise Refusal(f"model {name!r} fails on {dict(shape.inputs)}: {type(error).__name__}: {text}") from error
    if shape.classes and logits[-1:] != (shape.classes,):  # of vectors the model says how long they are
        raise Refusal(f"model {name!r} gives logits of shape {logits} for {shape.classes} classes")
