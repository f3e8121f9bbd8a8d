"""Long film reviews with the stars that their writers gave: a shifted domain for SST-2, and a set of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._text import SENTIMENTS, read_parts


@dataset(
    kind="text",
    files=("text/imdb_subset/train.parquet", "text/imdb_subset/test.parquet"),
    licence="none stated (Maas et al. 2011, for research)",
    groups=("rating",),
)
def imdb(root: Path | None) -> Samples:
    """Is a review of a film "positive" (7-10 stars) or "negative" (1-4)? 5,000 + 5,000 of Maas et al. 2011, both balanced.

    A random part of the official train and test splits; at most 30 reviews of a film, and no film in both. Classes and their
    order are those of `sst2`, so that its models can be asked here. Group: rating, 1-4 and 7-10, which says how clear a case is.
    Line breaks of the page are newlines. Ten test reviews are in train, too (posted twice): they leave train.
    """
    parts = read_parts(root, {s: f"text/imdb_subset/{s}.parquet" for s in ("train", "test")}, ("text", "label", "rating", "id"))
    return Samples(
        "text",
        {"text": parts.texts("text")},
        parts.labels("label", ("0", "1")),
        np.array(parts.column("id")),
        SENTIMENTS,
        "none stated (Maas et al. 2011, for research)",
        "IMDB, a random part of the official train and test splits",
        {"rating": np.array(parts.column("rating"))},
        parts.split(),
        positive="positive",
        notes=("10,000 of the 50,000 reviews: numbers are not those of the whole set",),
    )
