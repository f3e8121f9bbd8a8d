"""COMPAS: two-year recidivism of people arrested in Broward County, Florida, 2013-2014."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Refusal, Samples, dataset
from kdbench.datasets._cells import numbers, texts
from kdbench.datasets._sheet import Sheet, read_sheet

NUMERIC = ("age", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count")
CATEGORICAL = ("c_charge_degree", "sex", "race")
SCORES = ("decile_score", "v_decile_score")
BANDS = {"Less than 25": "under 25", "25 - 45": "25-45", "Greater than 45": "over 45"}
WANTED = ("id", *NUMERIC, *CATEGORICAL, *SCORES, "age_cat", "two_year_recid", "propublica_filter")


@dataset(kind="table", files=("tabular/compas/all.parquet",), licence="none stated", groups=("sex", "race", "age"))
def compas(root: Path | None, *, propublica_filter: bool = True, use_groups: bool = True, use_scores: bool = False) -> Samples:
    """Is a person arrested again within two years? ProPublica's 7,214 people (Larson et al. 2016), 6,172 after its filter.

    The filter (on by default) is ProPublica's: screened within 30 days of the arrest, recidivism known, no ordinary traffic
    offence. Features: age, prior and juvenile counts, degree of the charge, sex, race; `use_groups: false` leaves out age, sex
    and race. `use_scores` adds the decile scores of the commercial tool, which are predictions of the label, so off by default.
    Everything recorded after the screening (custody, later charges) is never a feature.

    Classes "stays free" and "rearrested"; "stays free" is the decision in favour (as in AIF360; ProPublica's own tables count the
    other way round, so their false positive rate of .45 against .23 is one minus the true positive rate here).
    Groups: sex; race; age in ProPublica's bands. No official split: kdbench splits at random, stratified by label. With so few
    features many people share a profile, so equal rows are counted, not dropped, and they bound the accuracy.
    """
    sheet = read_sheet(root, "tabular/compas/all.parquet", WANTED)
    keep = [i for i, kept in enumerate(sheet.columns["propublica_filter"]) if kept == "true" or not propublica_filter]
    sheet = Sheet(sheet.path, {name: [column[i] for i in keep] for name, column in sheet.columns.items()})
    hidden = set() if use_groups else {"age", "sex", "race"}
    numeric = tuple(c for c in (*NUMERIC, *(SCORES if use_scores else ())) if c not in hidden)
    categorical = tuple(c for c in CATEGORICAL if c not in hidden)
    label = np.array(sheet.columns["two_year_recid"])
    if not set(label) <= {"0", "1"}:
        raise Refusal(f"{sheet.path}: column 'two_year_recid': 0 or 1 expected, found {sorted(set(label))[:5]}")
    groups = {"sex": np.array(sheet.columns["sex"]), "race": np.array(sheet.columns["race"])}
    groups["age"] = np.array([BANDS.get(v, v) for v in sheet.columns["age_cat"]])
    return Samples(
        "table",
        {"numeric": numbers(sheet, numeric), "categorical": texts(sheet, categorical)},
        label.astype(np.int64),
        np.array([f"person-{v}" for v in sheet.columns["id"]]),
        ("stays free", "rearrested"),
        "none stated",
        "propublica/compas-analysis, compas-scores-two-years",
        groups,
        columns={"numeric": numeric, "categorical": categorical},
        positive="stays free",
        alike=True,
    )
