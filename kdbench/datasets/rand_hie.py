"""The RAND Health Insurance Experiment, 1974-1982: real people with race, sex and age, without a download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Refusal, Samples, dataset
from kdbench.datasets._cells import bands, numbers, texts
from kdbench.datasets._files import in_package
from kdbench.datasets._sheet import Sheet, read_csv

PEOPLE = ("black", "female", "xage", "child", "fchild")
NUMERIC = (
    "coins",
    "idp",
    "lpi",
    "fmde",
    "income",
    "educdec",
    "num",
    "tookphys",
    "mhi",
    "disea",
    "physlm",
    "xghindx",
    "hlthg",
    "hlthf",
    "hlthp",
)
CATEGORICAL = ("site", "plan", "year")
RACES = {"0": "not black", "1": "black"}


@dataset(
    kind="table",
    files=("package:statsmodels/datasets/randhie/src/randhie.csv",),
    licence="public domain",
    groups=("race", "sex", "age"),
)
def rand_hie(root: Path | None, *, use_groups: bool = True, sites: list[int] | None = None) -> Samples:
    """Does a person see a doctor at least once in a year? 20,190 person-years of 5,912 people (Cameron & Trivedi 2005, ch. 20).

    Label: `mdvis` > 0, 68.8 % "any"; "any" (gets care) is the decision in favour. Cluster: the person `zper`, so that nobody
    is in train and in test, and intervals are resampled by person. No official split.

    Groups: race (file column `black`: 1 "black", 0 "not black"; the fractions, 1.2 % of the rows, are regression-imputed and
    become "unknown (imputed)"), sex (`female`), age that year in bands. Base rates differ: .747 not black, .420 black.

    Features are what is known before the year starts: insurance plan, site, study year, income, education, family size and
    baseline health; `use_groups` (default) adds race, sex, age, child. Never features: the year's visits, admissions and
    expenses (mdvis, notmdvis, mentvis, totadm, *dol, binexp, ...), which are or contain the outcome, and `time`, the share of
    the year observed. Four missing `educdec` are imputed with the median of train.

    sites: only these places (1..6, as numbered in the file); `site` is then no feature. Two disjoint choices make an honest
    companion for out-of-distribution questions: the same survey in another place.
    """
    del root
    sheet = read_csv(in_package("statsmodels", "datasets/randhie/src/randhie.csv", 16 * 2**20))
    if sites is not None:
        sheet = _only(sheet, sites)
    numeric = (*NUMERIC, *(PEOPLE if use_groups else ()))
    categorical = CATEGORICAL if sites is None else CATEGORICAL[1:]
    held = {name: np.array(sheet.column(name, "expected")) for name in ("zper", "year", "mdvis", "black", "female", "xage")}
    groups = {
        "race": np.array([RACES.get(v, "unknown (imputed)") for v in held["black"]]),
        "sex": np.where(held["female"] == "1", "female", "male"),
        "age": bands(held["xage"].astype(np.float64), (18, 40)),
    }
    return Samples(
        "table",
        {"numeric": numbers(sheet, numeric, impute=True), "categorical": texts(sheet, categorical)},
        (held["mdvis"].astype(np.float64) > 0).astype(np.int64),
        np.array([f"{person}-year-{year}" for person, year in zip(held["zper"], held["year"], strict=True)]),
        ("none", "any"),
        "public domain",
        "RAND HIE, as shipped by statsmodels",
        groups,
        cluster=held["zper"],
        columns={"numeric": numeric, "categorical": categorical},
        positive="any",
        alike=True,
    )


def _only(sheet: Sheet, sites: list[int]) -> Sheet:
    known = sorted(set(sheet.column("site", "expected")))
    unknown = [s for s in sites if str(s) not in known]
    if unknown or not sites:
        raise Refusal(f"rand_hie: sites: {unknown or sites} (allowed: some of {', '.join(known)})")
    keep = [i for i, site in enumerate(sheet.columns["site"]) if int(site) in sites]
    return Sheet(sheet.path, {name: [column[i] for i in keep] for name, column in sheet.columns.items()})
