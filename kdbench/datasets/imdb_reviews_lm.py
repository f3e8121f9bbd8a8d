"""Film reviews as free text, for small language models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._text import documents, read_parts


@dataset(
    kind="text",
    files=("lm/imdb_unsup_subset/train.parquet", "lm/imdb_unsup_subset/valid.parquet"),
    licence="none stated (Maas et al. 2011, for research)",
    answer="next",
)
def imdb_reviews_lm(root: Path | None) -> Samples:
    """5,500 reviews to train on and 500 to test on, each a document, from the part of IMDB without labels (Maas et al. 2011).

    The 500 are held out at random; validation is drawn from train. Reviews of train that are also among the 500 (four, posted
    twice) are left out of train. Nine of all are also in `imdb`, posted twice, too.
    """
    parts = read_parts(root, {"train": _FILES[0], "test": _FILES[1]}, ("text",))
    texts, split = parts.column("text"), parts.split()
    held = {text for text, part in zip(texts, split, strict=True) if part == "test"}
    keep = np.array([part == "test" or text not in held for text, part in zip(texts, split, strict=True)])
    kept = [text for text, stays in zip(texts, keep, strict=True) if stays]
    licence, source = "none stated (Maas et al. 2011, for research)", "IMDB, a random part of the unlabelled reviews"
    found = documents(kept, parts.ids()[keep], split[keep], licence, source)
    return replace(found, notes=(f"{int((~keep).sum())} train documents that equal a test document are left out",))


_FILES = ("lm/imdb_unsup_subset/train.parquet", "lm/imdb_unsup_subset/valid.parquet")
