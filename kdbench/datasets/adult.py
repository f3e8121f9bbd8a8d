"""Adult (census income 1994): the table on which fairness is most often measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._cells import bands, numbers, texts
from kdbench.datasets._sheet import Sheet, read_sheet

NUMERIC = ("age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week")
CATEGORICAL = ("workclass", "education", "marital_status", "occupation", "relationship", "race", "sex", "native_country")


@dataset(
    kind="table",
    files=("tabular/adult/train.parquet", "tabular/adult/test.parquet"),
    licence="CC BY 4.0",
    groups=("sex", "race", "age"),
)
def adult(root: Path | None, *, use_groups: bool = True) -> Samples:
    """Does a person earn more than 50,000 dollars a year? 32,561 + 16,281 people, official split (Kohavi 1996; UCI).

    24.08 % of train and 23.62 % of test do; ">50K" is the decision in favour. All 14 published features, the survey weight
    `fnlwgt` included because published results use it; `use_groups: false` leaves out sex, race, age, and `relationship`, whose
    values Husband and Wife say the sex. "?" of the source is the level "(missing)".
    Groups: sex; race; age in bands (under 25, 25-44, 45-64, 65 and over).
    Equal rows are different people of one profile, sampled by a census: they are counted, not dropped.
    """
    parts = [read_sheet(root, f"tabular/adult/{name}.parquet", (*NUMERIC, *CATEGORICAL, "label")) for name in ("train", "test")]
    hidden = set() if use_groups else {"age", "race", "sex", "relationship"}
    numeric = tuple(c for c in NUMERIC if c not in hidden)
    categorical = tuple(c for c in CATEGORICAL if c not in hidden)

    def join(column: str) -> np.ndarray:
        return np.concatenate([np.array(p.columns[column]) for p in parts])

    return Samples(
        "table",
        {
            "numeric": np.concatenate([numbers(p, numeric) for p in parts]),
            "categorical": np.concatenate([texts(p, categorical) for p in parts]),
        },
        join("label").astype(np.int64),
        np.concatenate([_ids(p) for p in parts]),
        ("<=50K", ">50K"),
        "CC BY 4.0",
        "UCI Adult, official train and test parts",
        {"sex": join("sex"), "race": join("race"), "age": bands(join("age").astype(np.int64), (25, 45, 65))},
        np.repeat(["train", "test"], [p.rows for p in parts]),
        None,
        {"numeric": numeric, "categorical": categorical},
        ">50K",
        alike=True,
    )


def _ids(part: Sheet) -> np.ndarray:
    return np.array([f"{part.path.stem}-{i:05d}" for i in range(part.rows)])
