"""SST-2: sentences from film reviews, the text set on which students are most often compared."""

from __future__ import annotations

from pathlib import Path

from kdbench import Samples, dataset
from kdbench.datasets._text import SENTIMENTS, read_parts


@dataset(
    kind="text",
    files=("text/sst2/train.parquet", "text/sst2/dev.parquet", "text/sst2/test.parquet"),
    licence="none stated (Stanford Sentiment Treebank, Socher et al. 2013)",
)
def sst2(root: Path | None) -> Samples:
    """Is a sentence about a film "positive" or "negative"? Whole sentences, official split 6,920 / 872 / 1,821 (Socher 2013).

    Not GLUE's SST-2: that one trains on 67,349 phrases and keeps the labels of its test split to itself (`hub` can read it).
    "positive" is the decision in favour. Two test sentences are in train, too: they leave train.
    """
    parts = read_parts(root, {s: f"text/sst2/{f}.parquet" for s, f in _FILES.items()}, ("text", "label"))
    return Samples(
        "text",
        {"text": parts.texts("text")},
        parts.labels("label", ("0", "1")),
        parts.ids(),
        SENTIMENTS,
        "none stated (Stanford Sentiment Treebank, Socher et al. 2013)",
        "SST-2, sentences, official split",
        split=parts.split(),
        positive="positive",
        notes=("the texts are tokenised and lower-cased, and have no hyphens, as this copy was distributed",),
    )


_FILES = {"train": "train", "validation": "dev", "test": "test"}
