"""Tweets labelled as hate speech, offensive language, or neither: what classifiers of hate are trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._text import read_parts

THREE = ("hate speech", "offensive language", "neither")
TWO = ("hateful", "non-hateful")


@dataset(kind="text", files=("fairness_text/davidson_hate/all.parquet",), licence="MIT")
def davidson_hate(root: Path | None, *, classes: Literal["three", "two"] = "three") -> Samples:
    """24,783 tweets by the vote of three or more people: 1,430 hate, 19,190 offensive, 4,163 neither (Davidson 2017). Offensive.

    classes: "two" joins "offensive language" and "neither" into "non-hateful" (5.8 % are "hateful"), as Röttger et al. 2021 did
    before asking the models of such data in `hatecheck`; then "non-hateful" is the decision in favour. No official split. The
    tweets were found by words of hate, and their labels say "hate" more often of African-American English (Sap 2019).
    """
    parts = read_parts(root, {"test": "fairness_text/davidson_hate/all.parquet"}, ("text", "label"))
    y = parts.labels("label", ("0", "1", "2"))
    return Samples(
        "text",
        {"text": parts.texts("text")},
        y if classes == "three" else np.minimum(y, 1),
        parts.ids(),
        THREE if classes == "three" else TWO,
        "MIT",
        "Davidson et al. 2017",
        positive=None if classes == "three" else "non-hateful",
        notes=("names of users are replaced by @user",),
    )
