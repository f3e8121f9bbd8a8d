"""What the text encoders of `transformers` share: one argument, padding that nobody attends to, one vector for each text."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from kdbench import Refusal, Shape

from ._segments import segments, separator_of


class TextEncoder(nn.Module):
    """Tokens int64 (b, length) -> vectors (b, d): the mean of the last hidden states over the tokens that are no padding, and
    then, where a dimension is asked for, a linear map to it. separator: the token between the texts of a pair; -1 for none.
    """

    def __init__(self, name: str, network: nn.Module, padding: int, projection: nn.Module, separator: int = -1) -> None:
        super().__init__()
        self.name, self.padding, self.separator = name, padding, separator_of(network, separator)
        self.network = nn.Module()
        self.network.add_module(name, network)  # the same paths as inside the classifiers of the library
        self.projection = projection

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The mask is made here, in the form that is added to scores (see `TextClassifier`). A row of padding gives zeros."""
        dtype = next(self.network.parameters()).dtype
        kept = (tokens != self.padding).to(dtype)
        mask = (1.0 - kept)[:, None, None, :] * torch.finfo(dtype).min
        network = self.network.get_submodule(self.name)
        more = segments(tokens, self.padding, self.separator)
        hidden = network(input_ids=tokens, attention_mask=mask, return_dict=True, **more).last_hidden_state
        weight = kept / kept.sum(dim=1, keepdim=True).clamp(min=1.0)
        vectors: torch.Tensor = self.projection((hidden * weight[:, :, None]).sum(dim=1))
        return vectors


def text_encoder(name: str, shape: Shape, positions: int, options: Mapping[str, Any], dimension: int) -> nn.Module:
    """The library's encoder `name` ("Bert", ...) without a head, with fresh weights, pooled by the mean. dimension: width of the
    vectors; 0 leaves them as wide as its hidden states.

    Raises Refusal for rows longer than its positions, and for options that the library refuses.
    """
    import transformers  # noqa: PLC0415 - heavy, and only these models need it

    (length,) = shape.inputs["tokens"]
    if length > positions:
        raise Refusal(f"{name.lower()}: rows of {length} tokens, but {positions} positions (allowed: positions {length} or more)")
    build: Callable[..., nn.Module] = getattr(transformers, f"{name}Model")
    more = {"add_pooling_layer": False} if name == "Bert" else {}
    try:
        config = getattr(transformers, f"{name}Config")(pad_token_id=shape.padding, **copy.deepcopy(dict(options)))
        network = build(config, **more)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise Refusal(f"{name.lower()}: the library refuses these numbers: {text}") from error
    hidden = int(config.hidden_size)
    projection: nn.Module = nn.Linear(hidden, dimension, bias=False) if dimension else nn.Identity()
    return TextEncoder(name.lower(), network, shape.padding, projection, shape.separator)
