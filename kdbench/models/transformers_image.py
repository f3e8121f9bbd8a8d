"""The door for every image classifier of the transformers library."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from kdbench import Refusal, Shape, model


class _Classifier(nn.Module):
    def __init__(self, network: nn.Module, features: int) -> None:
        super().__init__()
        self.network = network
        self.hidden = nn.Sequential(*(nn.Identity() for _ in range(features)))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        # only where a tap listens: to give its hidden states the library hangs hooks on itself that cannot be copied elsewhere
        listened = any(place._forward_hooks for place in self.hidden)
        given = self.network(pixel_values=image, output_hidden_states=listened, return_dict=True)
        if listened:
            for place, feature in zip(self.hidden, given.hidden_states, strict=True):
                place(feature)
        return given.logits  # type: ignore[no-any-return]


@model(
    kinds=("image",),
    taps=("hidden.*",),
    paper="https://huggingface.co/docs/transformers, AutoModelForImageClassification.from_config",
)
def transformers_image(shape: Shape, *, config_type: str = "resnet", options: dict[str, Any] | None = None) -> nn.Module:
    """An image classifier of `transformers`, built from its configuration with fresh weights; nothing is downloaded.

    config_type: the library's model type ("resnet", "vit", "mobilenet_v2", "convnext", ...). options: keys of its configuration;
    `num_labels`, `num_channels` and `image_size` follow the data. Input (b, channels, height, width); gives logits (b, classes).
    Weights start as the library does. Taps: `hidden.0`, `hidden.1`, ...: its hidden states, (b, c, h, w) or (b, tokens, d).

    Raises Refusal for an unknown type, for an option that the configuration does not have (the library would ignore it), and
    for a network that does not run on this image size.
    """
    config = _config(config_type, options or {})
    channels, *size = shape.inputs["image"]
    given = {"num_labels": shape.classes, "num_channels": channels, "image_size": size[0] if size[0] == size[1] else tuple(size)}
    for name, value in given.items():
        if name == "num_labels" or hasattr(config, name):
            setattr(config, name, value)
    auto = _library().AutoModelForImageClassification
    try:
        network = auto.from_config(copy.deepcopy(config), trust_remote_code=False)
        probe = copy.deepcopy(network).eval()
        with torch.no_grad():
            seen = probe(pixel_values=torch.zeros(2, *shape.inputs["image"]), output_hidden_states=True, return_dict=True)
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0][:200]
        raise Refusal(f"transformers_image: {config_type!r} fails on {channels}x{size[0]}x{size[1]} images: {text}") from error
    return _Classifier(network, len(seen.hidden_states or ()))


def _config(config_type: str, options: Mapping[str, Any]) -> Any:
    library = _library()
    mapping = library.models.auto.modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    allowed = sorted(mapping)
    if config_type not in allowed:
        close = get_close_matches(config_type, allowed, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise Refusal(
            f"transformers_image: no image classifier of type {config_type!r}{hint} (e.g. resnet, vit, convnext, mobilenet_v2)"
        )
    known = set(library.AutoConfig.for_model(config_type).to_dict())
    for name in options:
        if name not in known:
            close = get_close_matches(name, sorted(known), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise Refusal(f"transformers_image: a {config_type} configuration has no option {name!r}{hint}")
    try:
        return library.AutoConfig.for_model(config_type, **copy.deepcopy(dict(options)))
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise Refusal(f"transformers_image: options of {config_type!r} are refused: {text}") from error


def _library() -> Any:
    import transformers  # noqa: PLC0415 - heavy, and only this model needs it

    return transformers
