"""A `tokenizer.json` of the library tokenizers, read strictly: texts become tokens, and each token knows the bytes it covers.

Every file is brought into one form (`normal`): nothing is cut off or filled up inside it, the token that fills rows up stands in
its section "padding", and its keys are sorted. The fingerprint is the sha256 of that form, so that two checkpoints with the
same vocabulary and rules have the same one, whatever length each of them was saved for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tokenizers

from kdbench.nouns import Refusal, canonical

Texts: TypeAlias = "Sequence[str] | Sequence[tuple[str, str]] | np.ndarray"

TOKENIZER = "tokenizer.json"
LARGEST = 64 * 2**20
"""Bytes of a `tokenizer.json` that are read at most."""

PADDING = ("[PAD]", "<pad>", "<|pad|>", "<PAD>", "<|finetune_right_pad_id|>")
BOS = ("[BOS]", "<s>", "<|begin_of_text|>", "<bos>", "<|startoftext|>", "<|startoftranscript|>", "[CLS]")
EOS = ("[EOS]", "</s>", "<|end_of_text|>", "<eos>", "<|endoftext|>", "[SEP]")
UNKNOWN = ("[UNK]", "<unk>", "<UNK>")
"""The names that special tokens go by, the likeliest first: the file itself does not say what they are for."""

ROWS = 1024
"""Texts that are in the library's hands at once."""


class Tokenizer:
    """An opened tokenizer. A text is data: the name of a special token in it is split like any other word, so that no text can
    end a row or hide what follows. Lone surrogates, which have no UTF-8 form, count as U+FFFD.

    padding: the token that fills rows up; bos, eos, unknown: the special tokens, None where there is none; separator: the
    special token that ends the first text of a pair, where the second has another type; -1 where both have one, as for RoBERTa;
    start: what stands before the first token of a text (bos, else eos); before_answer: what a decoder beside an encoder begins
    with where its checkpoint does not say (bos, else padding); size: one more than the largest token; fingerprint: 64 hex digits.
    """

    def __init__(self, data: bytes) -> None:
        data = normal(data)
        self._inner = _inner(data)
        self.fingerprint = hashlib.sha256(data).hexdigest()
        vocabulary: Mapping[str, int] = self._inner.get_vocab(with_added_tokens=True)
        if not vocabulary:
            raise Refusal(f"{TOKENIZER} has no tokens")
        self.size = max(vocabulary.values()) + 1
        self.padding = int(self._inner.padding["pad_id"])
        self.bos, self.eos, self.unknown = (_named(vocabulary, names) for names in (BOS, EOS, UNKNOWN))
        self.start = self.eos if self.bos is None else self.bos
        self.before_answer = self.padding if self.bos is None else self.bos
        self._inner.no_padding()
        self.separator = _separator(self._inner)
        self._inner.encode_special_tokens = True

    def ids(self, texts: Texts) -> list[list[int]]:
        """The tokens of each text or pair, with the special tokens that the tokenizer's own template puts around them; neither
        cut off nor filled up.
        """
        return [encoding.ids for part in _parts(texts) for encoding in self._call(part, fast=True, special=True)]

    def cut(self, texts: Texts, length: int) -> tuple[list[list[int]], list[bool]]:
        """As `ids`, with at most `length` tokens a row: words go from the end of the text (of a pair: of the longer one), special
        tokens stay. And whether any went.
        """
        rows: list[list[int]] = []
        lost: list[bool] = []
        self._inner.enable_truncation(length, strategy="longest_first")
        try:
            for part in _parts(texts):
                for encoding in self._call(part, fast=False, special=True):
                    rows.append(encoding.ids)
                    lost.append(bool(encoding.overflowing))
        finally:
            self._inner.no_truncation()
        return rows, lost

    def plain(self, texts: Texts) -> list[list[int]]:
        """The tokens of each text alone, without special tokens."""
        return [encoding.ids for part in _parts(texts) for encoding in self._call(part, fast=True, special=False)]

    def spans(self, texts: Texts) -> list[tuple[list[int], list[int]]]:
        """(tokens without special ones, bytes of each) of every text.

        The bytes are UTF-8 bytes of the text as given: each belongs to the first token that ends at or after it, those behind
        the last token (spaces that the tokenizer drops) to the last. So they add up to the bytes of the text, wherever it has any
        token. Of a character that is split over several tokens the first has all bytes.
        """
        result = []
        for part in _parts(texts):
            for text, encoding in zip(part, self._call(part, fast=False, special=False), strict=True):
                result.append((encoding.ids, _bytes(text, encoding.offsets)))
        return result

    def text(self, ids: Sequence[int]) -> str:
        """The text of tokens, without the special ones."""
        return str(self._inner.decode([int(i) for i in ids], skip_special_tokens=True))

    def _call(self, part: list[Any], *, fast: bool, special: bool) -> list[Any]:
        encode = self._inner.encode_batch_fast if fast else self._inner.encode_batch
        try:
            return list(encode(part, add_special_tokens=special))
        except BaseException as error:  # a panic of the library is no Exception
            raise _refused(error, "a text cannot be split") from None


def open_tokenizer(data: bytes) -> Tokenizer:
    """The tokenizer of the bytes of a `tokenizer.json`. Raises Refusal, in one line, for what is none."""
    return Tokenizer(data)


def normal(data: bytes, padding: str | None = None) -> bytes:
    """A `tokenizer.json` in the one form that is stored: equal tokenizers give equal bytes.

    padding: the name of the token that fills rows up; by default that of the file's own section "padding", else one with a usual
    name, else (as for GPT-2, which has none) its end of text. Raises Refusal for what the library cannot open.
    """
    facts = _parsed(data)
    held = facts.get("padding")
    said = padding or (held.get("pad_token") if isinstance(held, dict) else None)
    inner = _inner(data)
    vocabulary: Mapping[str, int] = inner.get_vocab(with_added_tokens=True)
    if padding is not None and padding not in vocabulary:
        raise Refusal(f"{TOKENIZER} has no token {padding[:40]!r}, which is said to be its padding")
    name = next((one for one in (said, *PADDING, *EOS) if one in vocabulary), None)
    if name is None:
        raise Refusal(f"{TOKENIZER} has no token to fill rows up with (allowed: one named {', '.join(PADDING[:3])} or {EOS[1]})")
    section = {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_type_id": 0}
    facts["padding"] = {**section, "pad_id": vocabulary[name], "pad_token": name}
    facts["truncation"] = None
    return canonical(facts).encode("utf-8", "surrogatepass")


def _parsed(data: bytes) -> dict[str, Any]:
    if len(data) > LARGEST:
        raise Refusal(f"{TOKENIZER} has {len(data)} bytes, more than {LARGEST}")
    try:
        facts = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{TOKENIZER} is not plain JSON: {str(error)[:200]}") from None
    if not isinstance(facts, dict):
        raise Refusal(f"{TOKENIZER} must hold a mapping, not {type(facts).__name__}")
    return facts


def _inner(data: bytes) -> Any:
    try:
        inner: Any = tokenizers.Tokenizer.from_str(data.decode("utf-8"))
        inner.no_truncation()
        return inner
    except BaseException as error:  # a panic of the library is no Exception
        raise _refused(error, f"{TOKENIZER} is refused by the library tokenizers") from None


def _refused(error: BaseException, what: str) -> BaseException:
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        return error
    return Refusal(f"{what}: {' '.join(str(error).split())[:200]}")


def _separator(inner: Any) -> int:
    """The special token before the first one of type 1 in a pair, -1 for none. Of two empty texts only special tokens remain."""
    try:
        pair = inner.encode("", "", add_special_tokens=True)
    except BaseException as error:  # a panic of the library is no Exception
        raise _refused(error, f"{TOKENIZER} cannot join a pair") from None
    place = next((i for i, kind in enumerate(pair.type_ids) if kind == 1), 0)
    return int(pair.ids[place - 1]) if place else -1


def _named(vocabulary: Mapping[str, int], names: Sequence[str]) -> int | None:
    return next((vocabulary[name] for name in names if name in vocabulary), None)


def _parts(texts: Texts) -> Iterator[list[Any]]:
    """Some texts at a time: a str each, or a pair of them."""
    for first in range(0, len(texts), ROWS):
        yield [_sound(one) for one in texts[first : first + ROWS]]


def _sound(one: Any) -> str | tuple[str, ...]:
    if isinstance(one, str):
        return one if one.isascii() else one.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    row = tuple(str(_sound(str(text))) for text in one)
    return row if len(row) > 1 else row[0]


def _bytes(text: str, offsets: list[tuple[int, int]]) -> list[int]:
    if not offsets:
        return []
    ends = np.maximum.accumulate([end for _, end in offsets])
    ends[-1] = len(text)
    if not text.isascii():
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        widths = 1 + (codes > 0x7F) + (codes > 0x7FF).astype(np.int64) + (codes > 0xFFFF)
        ends = np.concatenate([[0], np.cumsum(widths)])[ends]
    found: list[int] = np.diff(ends, prepend=0).tolist()
    return found
