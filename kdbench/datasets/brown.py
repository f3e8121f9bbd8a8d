"""The Brown corpus: written American English of 1961, by genre."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._text import documents, read_parts


@dataset(
    kind="text",
    files=("lm/brown_genres/all.parquet",),
    licence="redistribution permitted (its README)",
    groups=("genre",),
    answer="next",
)
def brown(root: Path | None) -> Samples:
    """500 documents of about 2,000 words in 15 genres, all test: score models of other text, genre by genre (Francis & Kucera).

    Sentences stand on lines of their own, words and punctuation apart, as in NLTK's edition. Group: genre (6 to 80 documents).
    """
    parts = read_parts(root, {"test": "lm/brown_genres/all.parquet"}, ("file_id", "genre", "text"))
    ids, licence = np.array(parts.column("file_id")), "redistribution permitted (its README)"
    found = documents(parts.column("text"), ids, parts.split(), licence, "Brown corpus, NLTK's edition")
    return replace(found, groups={"genre": np.array(parts.column("genre"))})
