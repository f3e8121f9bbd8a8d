"""WordPiece, the pieces of words that BERT reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from kdbench import Count, Refusal, tokenizer

from ._learned import PADDING, UNKNOWN, framed, sound, written

CLS, SEP = "[CLS]", "[SEP]"
NAMES = (PADDING, UNKNOWN, CLS, SEP)
ALPHABET = 1000
"""Characters that get a token of their own at most: the most frequent."""


@tokenizer()
def wordpiece(texts: Iterable[str], *, vocabulary: Count = 8000, lowercase: bool = True) -> bytes:
    """Pieces of words, learned on the texts: whole where frequent, "##ing" where not; a row is [CLS] a [SEP], a pair [CLS] a
    [SEP] b [SEP].

    vocabulary: tokens in all, at most. lowercase: also drops accents, as BERT-uncased does; a text is not got back exactly then.
    Tokens 0 to 3: [PAD], [UNK], [CLS] (begins), [SEP] (ends). Words are split at spaces and punctuation; one with a character
    that was never seen is [UNK]. Learned by merging the most frequent pair (Sennrich et al. 2016), as the library tokenizers does
    for WordPiece, not by likelihood (Schuster & Nakajima 2012), whose program was never published. Equal texts give equal bytes.

    Raises Refusal where the texts hold no word, or more characters than the vocabulary has room for.
    """
    held = list(sound(texts))
    inner = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    inner.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    seen: Counter[str] = Counter()
    for text in held:
        seen.update(inner.normalizer.normalize_str(text))
    letters = sorted(sorted((c for c in seen if not c.isspace()), key=lambda c: (-seen[c], c))[:ALPHABET])
    if not letters:
        raise Refusal("wordpiece: the training texts hold no word")
    if 2 * len(letters) + len(NAMES) > vocabulary:
        raise Refusal(f"wordpiece: {len(letters)} characters need a vocabulary of {2 * len(letters) + len(NAMES)} or more")
    # The library numbers "##a" in the order of a hash table, a new one in each process: given here, they have a fixed order.
    given = [*NAMES, *letters, *(f"##{c}" for c in letters)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        special_tokens=given,
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    inner.train_from_iterator(held, trainer)
    learned = sorted(inner.get_vocab(with_added_tokens=True).items(), key=lambda item: item[1])
    made = Tokenizer(models.WordPiece({name: i for i, (name, _) in enumerate(learned)}, unk_token=UNKNOWN))
    made.normalizer, made.pre_tokenizer, made.decoder = inner.normalizer, inner.pre_tokenizer, decoders.WordPiece()
    made.add_special_tokens(list(NAMES))
    framed(made, CLS, SEP)
    return written(made)
