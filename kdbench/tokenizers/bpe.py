"""Byte-level byte-pair encoding, as GPT-2 reads: any text, and got back exactly."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from kdbench import Count, Refusal, tokenizer

from ._learned import BOS, EOS, SPECIAL, framed, sound, written

BYTES = 256


@tokenizer()
def bpe(texts: Iterable[str], *, vocabulary: Count = 4096, least: Count = 2) -> bytes:
    """Pieces of UTF-8 bytes, learned on the texts by merging the most frequent pair (Sennrich et al. 2016; on bytes: Radford et
    al. 2019); a row is [BOS] a [EOS], a pair [BOS] a [EOS] b [EOS].

    vocabulary: tokens in all, at most; 4 special ones ([PAD], [UNK], [BOS], [EOS]) and 256 bytes are always there, so nothing is
    unknown. least: how often a pair must be seen to be merged. Texts are split before by the pattern of GPT-2. Of equally
    frequent pairs the one with the smaller tokens is merged first. Equal texts give equal bytes.

    Raises Refusal for a vocabulary that has no room for the bytes.
    """
    if vocabulary < BYTES + len(SPECIAL):
        raise Refusal(
            f"bpe: a vocabulary of {vocabulary} has no room for the {BYTES} bytes (allowed: {BYTES + len(SPECIAL)} or more)"
        )
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=least,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(sound(texts), trainer)
    framed(inner, BOS, EOS)
    return written(inner)
