"""A tokenizer that was made elsewhere."""

from __future__ import annotations

from pathlib import Path

from kdbench import tokenizer

from ._folder import of_folder, plain


@tokenizer()
def file(*, path: str) -> bytes:
    """The `tokenizer.json` at a path, read as it is, or that of a checkpoint folder; nothing is learned.

    In a folder, the token that fills rows up is the one that tokenizer_config.json, special_tokens_map.json or config.json names;
    where an older folder of BERT has vocab.txt alone, or one of Whisper or GPT-2 vocab.json and merges.txt, the tokenizer is made
    from those. Raises Refusal, in one line, where there
    is none, and for what is no plain file, too large or not plain JSON.
    """
    place = Path(path)
    return of_folder(place) if place.is_dir() else plain(place)
