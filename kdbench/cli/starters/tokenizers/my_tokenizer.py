"""How texts become tokens: `data: {dataset: sst2, tokenizer: {my_tokenizer: {characters: 100}}, length: 128}`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from kdbench import Count, tokenizer

SPECIAL = ("[PAD]", "[UNK]", "[BOS]", "[EOS]")


# texts: those of the training split alone. One that learns nothing (a file, raw bytes) leaves them out.
@tokenizer()
def my_tokenizer(texts: Iterable[str], *, characters: Count = 200) -> bytes:
    """One token for each character, of which the most frequent are known and the others are [UNK]; a row is [BOS] a [EOS].

    Gives the bytes of a `tokenizer.json` of the library tokenizers. Equally frequent characters stand in the order of Unicode, so
    that equal texts give equal bytes.
    """
    seen = Counter(character for text in texts for character in text)
    known = sorted(seen, key=lambda character: (-seen[character], character))[:characters]
    made = Tokenizer(models.WordLevel({name: i for i, name in enumerate((*SPECIAL, *known))}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made.decoder = decoders.Fuse()
    made.add_special_tokens(list(SPECIAL))
    frame = "[BOS] $A [EOS]"  # language models read a document after the first of these, and end it with the last
    named = [(name, made.token_to_id(name)) for name in ("[BOS]", "[EOS]")]
    made.post_processor = processors.TemplateProcessing(single=frame, pair=f"{frame} $B:1 [EOS]:1", special_tokens=named)
    made.enable_padding(pad_id=made.token_to_id("[PAD]"), pad_token="[PAD]")
    return made.to_str().encode("utf-8")
