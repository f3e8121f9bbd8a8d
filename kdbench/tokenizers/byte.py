"""Raw bytes: no vocabulary to learn."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from kdbench import tokenizer

from ._learned import BOS, EOS, SPECIAL, framed, written


@tokenizer()
def byte() -> bytes:
    """One token for each UTF-8 byte, 4 to 259 in the order of the bytes, after [PAD], [UNK], [BOS] and [EOS]; a row is [BOS] a
    [EOS], a pair [BOS] a [EOS] b [EOS]. Nothing is unknown, and every text is got back exactly (ByT5, Xue et al. 2022, with
    other special tokens).
    """
    places = dict(zip(_order(), range(len(SPECIAL), len(SPECIAL) + 256), strict=True))
    inner = Tokenizer(models.BPE({**{name: i for i, name in enumerate(SPECIAL)}, **places}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(list(SPECIAL))
    framed(inner, BOS, EOS)
    return written(inner)


def _order() -> list[str]:
    """The printable characters by which the library writes the bytes 0 to 255 (`bytes_to_unicode` of GPT-2)."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    other = iter(range(256, 512))
    return [chr(b) if b in own else chr(next(other)) for b in range(256)]
