"""HateCheck: functional tests of hate classifiers, by kind of case and by who is the target."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._text import read_parts

CLASSES = ("hateful", "non-hateful")


@dataset(
    kind="text",
    files=("fairness_text/hatecheck/test.parquet",),
    licence="CC BY 4.0",
    groups=("functionality", "target_ident", "direction"),
)
def hatecheck(root: Path | None) -> Samples:
    """Is a short text hateful? 3,728 cases for 29 functionalities, all test (Röttger et al. 2021). Offensive content.

    Classes and order are those of `davidson_hate: {classes: two}`; "non-hateful" is the decision in favour (the text stays), so
    that a low selection rate in a group means that its mentions are taken for hate. Groups: functionality; target_ident, the
    seven targets, and "none" for 292 cases about things and persons that belong to no protected group; direction. Cluster: the
    template, of which a case was made for every target.
    """
    columns = ("functionality", "case_id", "test_case", "label_gold", "target_ident", "direction", "templ_id")
    parts = read_parts(root, {"test": "fairness_text/hatecheck/test.parquet"}, columns)
    target = np.array(parts.column("target_ident"))
    return Samples(
        "text",
        {"text": parts.texts("test_case")},
        parts.labels("label_gold", CLASSES),
        np.array(parts.column("case_id")),
        CLASSES,
        "CC BY 4.0",
        "HateCheck",
        {
            "functionality": np.array(parts.column("functionality")),
            "target_ident": np.where(target == "", "none", target),
            "direction": np.array(parts.column("direction")),
        },
        parts.split(),
        np.array(parts.column("templ_id")),
        positive="non-hateful",
        notes=("cases were written to find weaknesses: rates on them are not rates in the world",),
    )
