"""Whole words, for networks that learn a vector of each word."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from kdbench import Count, Refusal, tokenizer

from ._learned import EOS, SPECIAL, UNKNOWN, framed, sound, written


@tokenizer()
def words(texts: Iterable[str], *, vocabulary: Count = 20000, least: Count = 2, lowercase: bool = True) -> bytes:
    r"""Words and runs of punctuation (\w+ or [^\w\s]+), learned on the texts; a row is a [EOS], a pair a [EOS] b [EOS].

    vocabulary: tokens in all, at most: the most frequent words, of equally frequent ones the first in the alphabet. least: how
    often a word must be seen; the others are [UNK]. Tokens 0 to 3: [PAD], [UNK], [BOS], [EOS]. A text is not got back exactly.
    Equal texts give equal bytes. Raises Refusal where no word is frequent enough.
    """
    inner = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    inner.normalizer = normalizers.Sequence([normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])])
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary, min_frequency=least, special_tokens=list(SPECIAL), show_progress=False
    )
    inner.train_from_iterator(sound(texts), trainer)
    if inner.get_vocab_size() <= len(SPECIAL):
        raise Refusal(f"words: no word is seen {least} times or more in the training texts (allowed: a smaller `least`)")
    framed(inner, "", EOS)
    return written(inner)
