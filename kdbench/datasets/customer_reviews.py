"""Customer reviews of products: a second shifted domain for SST-2."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kdbench import Samples, dataset
from kdbench.datasets._text import SENTIMENTS, read_parts


@dataset(kind="text", files=("text/customer_reviews/all.parquet",), licence="MIT (data: Hu & Liu 2004)")
def customer_reviews(root: Path | None, *, split: Literal["drawn", "test"] = "drawn") -> Samples:
    """Is a sentence about a camera, a phone, a player "positive" or "negative"? 3,775 sentences (Hu & Liu 2004), 63.8 % positive.

    split: there is no official one: "drawn" lets kdbench draw it; "test" makes all rows test rows, for a shifted domain of a
    task on `sst2`, whose classes and order these are. Four texts are empty in the source and are kept, as in published numbers.
    """
    parts = read_parts(root, {"test": "text/customer_reviews/all.parquet"}, ("text", "label"))
    return Samples(
        "text",
        {"text": parts.texts("text")},
        parts.labels("label", ("0", "1")),
        parts.ids(),
        SENTIMENTS,
        "MIT (data: Hu & Liu 2004)",
        "CR, as prepared by Kim 2014",
        split=parts.split() if split == "test" else None,
        positive="positive",
        notes=("4 of 3775 texts are empty in the source: any answer to them is the model's prior",),
    )
