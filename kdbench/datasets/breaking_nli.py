"""Breaking NLI: one word of a sentence is replaced, and a model of inference must know the word."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._text import INFERENCES, numbered, read_parts


@dataset(kind="text", files=("text/breaking_nli/test.parquet",), licence="CC BY-SA 4.0", groups=("category",))
def breaking_nli(root: Path | None) -> Samples:
    """8,193 pairs, all test: does a model of inference know that red is not green? (Glockner 2018).

    x: pairs (premise, hypothesis); classes and order are those of `sick`. 87 % are contradictions: always saying so scores .874,
    so compare with balanced accuracy, or within the group. Group: category of the word (14). Cluster: the premise, of which up
    to 13 pairs were made.
    """
    parts = read_parts(root, {"test": _FILE}, ("pairID", "premise", "hypothesis", "label", "category"))
    return Samples(
        "text",
        {"text": parts.texts("premise", "hypothesis")},
        parts.labels("label", INFERENCES),
        np.array(parts.column("pairID")),
        INFERENCES,
        "CC BY-SA 4.0",
        "Breaking NLI",
        {"category": np.array(parts.column("category"))},
        parts.split(),
        numbered(parts.column("premise")),
        notes=("87.4 % of the pairs are contradictions, the share that a constant answer gets right",),
    )


_FILE = "text/breaking_nli/test.parquet"
