"""What tokenizers that learn their vocabulary share: the first four tokens, the frame around a row, and texts that are sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tokenizers import Tokenizer, processors

PADDING, UNKNOWN, BOS, EOS = "[PAD]", "[UNK]", "[BOS]", "[EOS]"
SPECIAL = (PADDING, UNKNOWN, BOS, EOS)
"""The tokens 0 to 3."""


def sound(texts: Iterable[str]) -> Iterator[str]:
    """Each text with U+FFFD where a lone surrogate stands, which has no UTF-8 form."""
    for text in texts:
        yield text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def framed(inner: Any, before: str, after: str) -> None:
    """Put special tokens around each row: before text after, and for a pair before text after other after."""
    single = f"{before} $A {after}".strip()
    named = [(name, inner.token_to_id(name)) for name in dict.fromkeys((before, after)) if name]
    inner.post_processor = processors.TemplateProcessing(
        single=single,
        pair=f"{single} $B:1 {after}:1",
        special_tokens=named,
    )


def written(inner: Tokenizer) -> bytes:
    """The bytes of its `tokenizer.json`; the padding is said in it."""
    inner.enable_padding(pad_id=inner.token_to_id(PADDING), pad_token=PADDING)
    return inner.to_str().encode("utf-8")
