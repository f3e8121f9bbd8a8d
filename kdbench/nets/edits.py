"""Changes of a network's structure, as data: made once by a compressor, replayed whenever the artefact is opened.

kind "mask": arrays {parameter name: bool, of the parameter's shape}; False weights are zero and stay zero in a later fit.
kind "channels": arrays {"<module>.out" | "<module>.in": int64 indices of the channels that are kept, ascending}; the module's
tensors are cut to them, and so are its sizes (`in_channels`, `out_features`, `num_features`, ...).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from torch import nn

from kdbench.nouns import Edit, Refusal

SIDES = ("in", "out")


def mask(kept: Mapping[str, np.ndarray]) -> Edit:
    """An edit that keeps the weights where `kept[parameter name]` is True and holds the others at zero."""
    return Edit("mask", {}, {name: np.ascontiguousarray(value, dtype=bool) for name, value in kept.items()})


def channels(kept: Mapping[str, Mapping[str, np.ndarray]]) -> Edit:
    """An edit that keeps some channels: {module name: {"out": indices, "in": indices}}, each side only where it is cut.

    A normalisation layer has one side only: "out". Indices are stored sorted; raises Refusal where they repeat or none is left.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, sides in kept.items():
        for side, value in sides.items():
            index = np.unique(np.asarray(value, dtype=np.int64))
            if side not in SIDES or index.size != np.asarray(value).size or not index.size or index[0] < 0:
                raise Refusal(f"channels of {name!r} ({side!r}): some distinct channel numbers of 'in' or 'out' must be kept")
            arrays[f"{name}.{side}"] = index
    return Edit("channels", {}, arrays)


def apply_edit(module: nn.Module, edit: Edit) -> None:
    """Change the network in place. Raises Refusal for an unknown kind or an edit that does not fit the network."""
    if edit.kind not in _APPLY:
        raise Refusal(f"unknown edit {edit.kind!r} (allowed: {', '.join(sorted(_APPLY))})")
    with torch.no_grad():
        _APPLY[edit.kind](module, edit)


def masks(edits: Iterable[Edit]) -> dict[str, np.ndarray]:
    """What must stay zero after all edits: {parameter name: bool array of the parameter's final shape}, True = free.

    Later masks narrow earlier ones; channels that are cut later are cut from the masks as well.
    """
    held: dict[str, np.ndarray] = {}
    for edit in edits:
        if edit.kind == "mask":
            for name, value in edit.arrays.items():
                held[name] = held[name] & value if name in held else value
        if edit.kind == "channels":
            for key, index in edit.arrays.items():
                name, side = key.rsplit(".", 1)
                for parameter in (f"{name}.weight", f"{name}.bias"):
                    if parameter in held:
                        held[parameter] = _cut_mask(held[parameter], side, index)
    return held


def _cut_mask(value: np.ndarray, side: str, index: np.ndarray) -> np.ndarray:
    axis = 0 if side == "out" else 1
    if axis >= value.ndim or (axis == 1 and value.shape[1] == 1):  # a bias has no inputs; a depthwise kernel has one
        return value
    return value.take(index, axis=axis)


def _apply_mask(module: nn.Module, edit: Edit) -> None:
    parameters = dict(module.named_parameters())
    for name, value in edit.arrays.items():
        if name not in parameters or parameters[name].shape != value.shape:
            found = tuple(parameters[name].shape) if name in parameters else "no such parameter"
            raise Refusal(f"mask of {name!r} has shape {value.shape}, the network has {found}")
        parameters[name].mul_(torch.from_numpy(np.array(value)))


def _apply_channels(module: nn.Module, edit: Edit) -> None:
    modules = dict(module.named_modules())
    for key, value in edit.arrays.items():
        name, _, side = key.rpartition(".")
        if name not in modules or side not in SIDES:
            raise Refusal(f"channels edit names {key!r}: no such module in the network")
        layer, index = modules[name], torch.from_numpy(np.array(value, dtype=np.int64))
        cut = next((cut for kind, cut in _CUT.items() if isinstance(layer, kind)), None)
        if cut is None:
            raise Refusal(
                f"channels of {name!r}: cannot cut a {type(layer).__name__} (only Conv2d, Linear, BatchNorm, LayerNorm)"
            )
        try:
            cut(layer, side, index)
        except IndexError:
            raise Refusal(f"channels edit {key!r} keeps a channel that the network does not have") from None


def _take(layer: nn.Module, name: str, axis: int, index: torch.Tensor) -> None:
    """Cut a parameter or buffer; as a new tensor, so that it owns no more memory than it shows."""
    value = getattr(layer, name, None)
    if value is None:
        return
    cut = value.detach().index_select(axis, index).clone()
    if name in layer._parameters:
        setattr(layer, name, nn.Parameter(cut, requires_grad=value.requires_grad))
    else:
        layer._buffers[name] = cut


def _cut_linear(layer: nn.Linear, side: str, index: torch.Tensor) -> None:
    _take(layer, "weight", 0 if side == "out" else 1, index)
    if side == "out":
        _take(layer, "bias", 0, index)
    layer.out_features, layer.in_features = layer.weight.shape


def _cut_conv(layer: nn.Conv2d, side: str, index: torch.Tensor) -> None:
    depthwise = layer.groups == layer.in_channels == layer.out_channels
    if layer.groups > 1 and not depthwise:
        raise Refusal("channels of a grouped convolution that is not depthwise cannot be cut")
    if side == "out":
        _take(layer, "weight", 0, index)
        _take(layer, "bias", 0, index)
        layer.out_channels = len(index)
        if depthwise:  # one kernel per channel: cutting the outputs cuts the inputs and the groups
            layer.in_channels = layer.groups = len(index)
    elif not depthwise:
        _take(layer, "weight", 1, index)
        layer.in_channels = len(index)


def _cut_batch_norm(layer: nn.modules.batchnorm._BatchNorm, side: str, index: torch.Tensor) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        _take(layer, name, 0, index)
    layer.num_features = len(index)


def _cut_layer_norm(layer: nn.LayerNorm, side: str, index: torch.Tensor) -> None:
    if len(layer.normalized_shape) != 1:
        raise Refusal("channels of a LayerNorm over several axes cannot be cut")
    _take(layer, "weight", 0, index)
    _take(layer, "bias", 0, index)
    layer.normalized_shape = (len(index),)


_CUT: Mapping[type[nn.Module], Callable[..., None]] = {
    nn.Linear: _cut_linear,
    nn.Conv2d: _cut_conv,
    nn.modules.batchnorm._BatchNorm: _cut_batch_norm,
    nn.LayerNorm: _cut_layer_norm,
}
_APPLY: Mapping[str, Callable[[nn.Module, Edit], None]] = {"mask": _apply_mask, "channels": _apply_channels}
