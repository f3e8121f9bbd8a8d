"""What the encoder-decoders share: a decoder of the library that reads what was said so far, and a vocabulary from the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from kdbench import Refusal, Shape


def fresh(name: str, head: str, shape: Shape, options: Mapping[str, Any]) -> nn.Module:
    """The library's `<name>For<head>` with fresh weights; a configuration of its own for each.

    The special tokens of the library's defaults lie beyond a small vocabulary: rows are filled up, and the decoder begins, with
    what the data say, and where a text ends is decided outside of the network. Raises Refusal for data without a vocabulary or a
    prefix, and for options that the library refuses.
    """
    import transformers  # noqa: PLC0415 - heavy, and only these models need it

    if "prefix" not in shape.inputs:
        raise Refusal(f"{name.lower()}: the data have no text to write (an encoder-decoder needs an answer in text, layout pair)")
    vocabulary = shape.levels[0] if shape.levels else shape.classes
    special = {"pad_token_id": shape.padding, "decoder_start_token_id": shape.padding, "bos_token_id": None, "eos_token_id": None}
    build: Callable[..., nn.Module] = getattr(transformers, f"{name}For{head}")
    try:
        config = getattr(transformers, f"{name}Config")(vocab_size=vocabulary, use_cache=False, **special, **options)
        return build(config)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise Refusal(f"{name.lower()}: the library refuses these numbers: {text}") from error
