"""What the text classifiers of `transformers` share: one argument, padding that nobody attends to, logits alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from kdbench import Refusal, Shape

PADDING = 0
"""The token that fills a row up; nothing attends to it."""


class TextClassifier(nn.Module):
    """tokens int64 (b, length) -> logits (b, classes)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The network's logits. The mask is made here, in the form that it adds to its scores: given the plain one, the library
        looks at its values to leave it out, which no exporter can follow.
        """
        dtype = next(self.network.parameters()).dtype
        mask = (tokens == PADDING)[:, None, None, :].to(dtype) * torch.finfo(dtype).min
        return self.network(input_ids=tokens, attention_mask=mask, return_dict=True).logits  # type: ignore[no-any-return]


def text_classifier(name: str, shape: Shape, positions: int, options: Mapping[str, Any]) -> nn.Module:
    """The library's sequence classifier `name` ("Bert", ...) with fresh weights; a configuration of its own for each.

    Raises Refusal for rows longer than its positions, and for options that the library refuses.
    """
    import transformers  # noqa: PLC0415 - heavy, and only these models need it

    (length,) = shape.inputs["tokens"]
    if length > positions:
        raise Refusal(f"{name.lower()}: rows of {length} tokens, but {positions} positions (allowed: positions {length} or more)")
    build: Callable[..., nn.Module] = getattr(transformers, f"{name}ForSequenceClassification")
    try:
        config = getattr(transformers, f"{name}Config")(num_labels=shape.classes, pad_token_id=PADDING, **options)
        return TextClassifier(build(config))
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise Refusal(f"{name.lower()}: the library refuses these numbers: {text}") from error
