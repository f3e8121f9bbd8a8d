"""What the text classifiers of `transformers` share: one argument, padding that nobody attends to, logits alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from kdbench import Refusal, Shape

from ._segments import segments, separator_of

VOCABULARY = 30522
"""The tokens of BERT's own vocabulary, for data that do not say how many they have."""


class TextClassifier(nn.Module):
    """tokens int64 (b, length) -> logits (b, classes). padding: the token that fills a row up; nothing attends to it.
    separator: the token between the texts of a pair, which a network that tells them apart is shown; -1 for none.
    """

    def __init__(self, network: nn.Module, padding: int = 0, separator: int = -1) -> None:
        super().__init__()
        self.network = network
        self.padding, self.separator = padding, separator_of(network, separator)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The network's logits. The mask is made here, in the form that it adds to its scores: given the plain one, the library
        looks at its values to leave it out, which no exporter can follow.
        """
        dtype = next(self.network.parameters()).dtype
        mask = (tokens == self.padding)[:, None, None, :].to(dtype) * torch.finfo(dtype).min
        more = segments(tokens, self.padding, self.separator)
        return self.network(input_ids=tokens, attention_mask=mask, return_dict=True, **more).logits  # type: ignore[no-any-return]


def text_classifier(name: str, shape: Shape, positions: int, options: Mapping[str, Any]) -> nn.Module:
    """The library's sequence classifier `name` ("Bert", ...) with fresh weights; a configuration of its own for each.

    Raises Refusal for rows longer than its positions, for a vocabulary smaller than the data's, and for options that the library
    refuses.
    """
    import transformers  # noqa: PLC0415 - heavy, and only these models need it

    (length,) = shape.inputs["tokens"]
    if length > positions:
        raise Refusal(f"{name.lower()}: rows of {length} tokens, but {positions} positions (allowed: positions {length} or more)")
    build: Callable[..., nn.Module] = getattr(transformers, f"{name}ForSequenceClassification")
    try:
        config = getattr(transformers, f"{name}Config")(num_labels=shape.classes, pad_token_id=shape.padding, **options)
        return TextClassifier(build(config), shape.padding, shape.separator)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise Refusal(f"{name.lower()}: the library refuses these numbers: {text}") from error


def vocabulary_of(name: str, shape: Shape, asked: int | None) -> int:
    """How many tokens the model `name` tells apart: as many as asked for, else as the data have, else as BERT has. Raises Refusal
    for fewer than the data have: their ids would point beyond its embeddings.
    """
    held = shape.levels[0] if shape.levels else 0
    if asked is not None and asked < held:
        raise Refusal(
            f"{name}: a vocabulary of {asked} tokens, but the data have {held} (allowed: {held} or more, or none given)"
        )
    return asked or held or VOCABULARY
