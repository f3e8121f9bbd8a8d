"""Which text of a pair each token belongs to, for the networks of `transformers` that tell the two apart."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn


def separator_of(network: nn.Module, separator: int) -> int:
    """The token after which a row's second text begins, where the network was made to see that; else -1."""
    config: Any = network.config
    takes = "token_type_ids" in inspect.signature(network.forward).parameters
    return separator if takes and (getattr(config, "type_vocab_size", None) or 0) > 1 else -1


def segments(tokens: torch.Tensor, padding: int, separator: int) -> dict[str, torch.Tensor]:
    """The network's further argument: 0 up to the first separator, 1 behind it, 0 again for the padding; nothing for -1.

    A row of one text ends with its separator, and so is 0 throughout.
    """
    if separator < 0:
        return {}
    ends = (tokens == separator).long()
    second = (ends.cumsum(1) > ends) & (tokens != padding)
    return {"token_type_ids": second.long()}
