"""AG News: the topic of a news item; far from film reviews and from what users ask assistants."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kdbench import Samples, dataset
from kdbench.datasets._text import read_parts, stacked

CLASSES = ("World", "Sports", "Business", "Sci/Tech")


@dataset(kind="text", files=("text/ag_news_test/test.parquet",), licence="for non-commercial research")
def ag_news(root: Path | None, *, split: Literal["drawn", "test"] = "drawn") -> Samples:
    """Which of four topics has a news item? The official test part only, 7,600 items, 1,900 of each (Zhang et al. 2015).

    Text: title, a space, description, as it is usually joined. split: "drawn" lets kdbench draw a split of these items (the
    numbers are then not the published ones, which train on 120,000 others); "test" makes all of them test rows.
    """
    parts = read_parts(root, {"test": "text/ag_news_test/test.parquet"}, ("label", "title", "description"))
    held = zip(parts.column("title"), parts.column("description"), strict=True)
    return Samples(
        "text",
        {"text": stacked([f"{title} {description}" for title, description in held])},
        parts.labels("label", ("0", "1", "2", "3")),
        parts.ids(),
        CLASSES,
        "for non-commercial research",
        "AG News, official test part",
        split=parts.split() if split == "test" else None,
        notes=("only the 7,600 items of the official test part",),
    )
