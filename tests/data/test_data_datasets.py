"""Every dataset plugin against the contract, and the shipped sets against other readers and published counts."""

from __future__ import annotations

import gzip
import importlib.resources
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdbench.nouns import Refusal
from kdbench.registry import discover
from kdbench.stages.checks import check

FOUND = discover()
NAMES = [n for n in FOUND.names("dataset") if not any(p.required for p in FOUND.get("dataset", n).params)]
PARTS = {"instructions": ({"part": "seed"}, {"part": "user"})}
"""Where a parameter says which of the declared files is read: all of what it may say."""
FROM_FILES = [n for n in NAMES if any(not f.startswith("package:") for f in FOUND.get("dataset", n).facts["files"])]


def load(plugins, name, root=None, **params):
    return plugins.load("dataset", name)[0](root, **params)


def root_for(plugins, name, request) -> Path | None:
    files = plugins.get("dataset", name).facts["files"]
    outside = [f for f in files if not f.startswith("package:")]
    return request.getfixturevalue("data_folder") if outside else None


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_keeps_the_contract(plugins, name, request):
    samples = load(plugins, name, root_for(plugins, name, request))
    facts = plugins.get("dataset", name).facts
    checked = check(samples, ())
    assert samples.kind == facts["kind"]
    assert facts["licence"] == samples.licence
    assert samples.source
    if facts.get("groups") != ("*",):
        assert tuple(samples.groups) == tuple(facts.get("groups", ()))
    assert samples.answer == facts.get("answer", "class")
    if samples.answer == "class":
        assert set(np.unique(samples.y)) == set(range(len(samples.classes)))
    assert all(v.flags.c_contiguous for v in checked.rows.x.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_gives_the_same_twice(plugins, name, request):
    root = root_for(plugins, name, request)
    one, two = load(plugins, name, root), load(plugins, name, root)
    np.testing.assert_array_equal(one.ids, two.ids)
    for key in one.x:
        np.testing.assert_array_equal(one.x[key], two.x[key])


@pytest.mark.parametrize("name", FROM_FILES)
def test_missing_data_is_refused_in_one_line_that_says_what_to_set(plugins, name, tmp_path):
    for root in (None, tmp_path):
        with pytest.raises(Refusal) as refused:
            load(plugins, name, root)
        text = str(refused.value)
        assert "\n" not in text
        assert "--data DIR" in text
        assert "KDBENCH_DATA" in text
        assert plugins.get("dataset", name).facts["files"][0].split("/")[1] in text


@pytest.mark.parametrize("name", NAMES)
def test_declared_files_are_the_files_that_are_read(name, plugins, request, monkeypatch):
    from kdbench.datasets import _files

    seen: set[Path] = set()
    real = _files.regular
    monkeypatch.setattr(_files, "regular", lambda path, most: seen.add(path) or real(path, most))
    declared = plugins.get("dataset", name).facts["files"]
    root = root_for(plugins, name, request)
    for params in PARTS.get(name, ({},)):
        load(plugins, name, root, **params)
    wanted = {f.removeprefix("package:").split("/", 1)[1] if f.startswith("package:") else str(root / f) for f in declared}
    assert {next((w for w in wanted if str(p).endswith(w)), str(p)) for p in seen} == wanted


def test_digits_equal_sklearn(plugins):
    from sklearn.datasets import load_digits

    judge = load_digits()
    mine = load(plugins, "digits")
    np.testing.assert_array_equal(np.rint(mine.x["image"][:, 0] * (16 / 255)), judge.images)
    np.testing.assert_array_equal(mine.y, judge.target)


def test_digits_ink_is_no_proxy_of_the_label(plugins):
    from scipy.stats import chi2_contingency

    mine = load(plugins, "digits")
    table = pd.crosstab(mine.y, mine.groups["ink"])
    assert chi2_contingency(table).pvalue > 0.5
    ink = pd.Series(mine.x["image"].sum(axis=(1, 2, 3), dtype=int)).groupby([mine.y, mine.groups["ink"]]).mean().unstack()
    assert (ink["light"] < ink["medium"]).all()
    assert (ink["medium"] < ink["heavy"]).all()


def test_rand_hie_equals_the_published_counts(plugins):
    mine = load(plugins, "rand_hie")
    file = importlib.resources.files("statsmodels") / "datasets/randhie/src/randhie.csv"
    judge = pd.read_csv(str(file))
    assert len(mine.y) == 20190
    assert len(np.unique(mine.cluster)) == 5912
    assert mine.y.mean() == pytest.approx(0.688, abs=0.0005)
    published = pd.Series(mine.y).groupby(judge["black"].round()).mean()  # the published rates round the imputed fractions
    assert published.tolist() == [pytest.approx(0.746, abs=0.0005), pytest.approx(0.426, abs=0.0005)]
    rate = pd.Series(mine.y).groupby(mine.groups["race"]).mean()
    exact = (judge["mdvis"] > 0).groupby(judge["black"]).mean()
    assert (rate["not black"], rate["black"]) == (exact[0], exact[1])
    rate = pd.Series(mine.y).groupby(mine.groups["sex"]).mean()
    assert (rate["female"], rate["male"]) == (pytest.approx(0.732, abs=0.0005), pytest.approx(0.640, abs=0.0005))
    assert (mine.groups["race"] == "unknown (imputed)").sum() == (~judge["black"].isin([0, 1])).sum()
    numeric = judge[list(mine.columns["numeric"])].to_numpy(np.float32)
    np.testing.assert_allclose(mine.x["numeric"], numeric, rtol=1e-6)
    np.testing.assert_array_equal(mine.x["categorical"].astype(int), judge[["site", "plan", "year"]].to_numpy())


def test_rand_hie_features_hold_no_outcome(plugins):
    mine = load(plugins, "rand_hie")
    outcome = {"mdvis", "notmdvis", "mentvis", "totadm", "inpmis", "binexp", "time", "lnmeddol"}
    outcome |= {f"{kind}dol" for kind in ("outp", "drug", "supp", "ment", "inp", "med")}
    assert not outcome & {*mine.columns["numeric"], *mine.columns["categorical"]}
    blind = load(plugins, "rand_hie", use_groups=False)
    assert not {"black", "female", "xage", "child", "fchild"} & set(blind.columns["numeric"])
    assert set(blind.groups) == {"race", "sex", "age"}


def test_rand_hie_sites_split_people(plugins):
    here, there = (load(plugins, "rand_hie", sites=s) for s in ([1, 2, 3, 4, 5], [6]))
    assert len(here.y) + len(there.y) == 20190
    assert not set(here.cluster) & set(there.cluster)
    assert here.columns == there.columns
    assert "site" not in here.columns["categorical"]
    with pytest.raises(Refusal, match="allowed: some of 1, 2, 3, 4, 5, 6"):
        load(plugins, "rand_hie", sites=[7])


def test_adult_equals_pandas_and_the_published_counts(plugins, data_folder):
    mine = load(plugins, "adult", data_folder)
    train, test = mine.split == "train", mine.split == "test"
    assert (train.sum(), test.sum()) == (32561, 16281)
    assert mine.y[train].mean() == pytest.approx(0.2408, abs=5e-5)
    assert mine.y[test].mean() == pytest.approx(0.2362, abs=5e-5)
    judge = pd.concat([pd.read_parquet(data_folder / f"tabular/adult/{s}.parquet") for s in ("train", "test")])
    np.testing.assert_array_equal(mine.x["numeric"], judge[list(mine.columns["numeric"])].to_numpy(np.float32))
    text = judge[list(mine.columns["categorical"])].fillna("(missing)").to_numpy(str)
    np.testing.assert_array_equal(mine.x["categorical"], text)
    age = pd.cut(judge["age"], [0, 25, 45, 65, 200], right=False, labels=["under 25", "25-44", "45-64", "65 and over"])
    np.testing.assert_array_equal(mine.groups["age"], age.astype(str).to_numpy(str))
    blind = load(plugins, "adult", data_folder, use_groups=False)
    assert not {"sex", "race", "age", "relationship"} & {*blind.columns["numeric"], *blind.columns["categorical"]}


def test_compas_equals_propublicas_counts(plugins, data_folder):
    mine = load(plugins, "compas", data_folder)
    assert len(mine.y) == 6172
    assert dict(zip(*np.unique(mine.groups["race"], return_counts=True), strict=True))["African-American"] == 3175
    assert dict(zip(*np.unique(mine.groups["sex"], return_counts=True), strict=True)) == {"Female": 1175, "Male": 4997}
    assert mine.y.mean() == pytest.approx(0.4551, abs=5e-5)  # 2809 of 6172
    assert len(load(plugins, "compas", data_folder, propublica_filter=False).y) == 7214
    assert not any("decile" in c for c in mine.columns["numeric"])
    assert "decile_score" in load(plugins, "compas", data_folder, use_scores=True).columns["numeric"]


def test_fashion_mnist_equals_a_plain_reading(plugins, data_folder):
    mine = load(plugins, "fashion_mnist", data_folder)
    assert np.bincount(mine.y[mine.split == "train"]).tolist() == [6000] * 10
    assert np.bincount(mine.y[mine.split == "test"]).tolist() == [1000] * 10
    pixels = gzip.decompress((data_folder / "vision/fashion_mnist/t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    assert mine.x["image"][60000:].tobytes() == pixels


def test_mnist_equals_the_published_populations(plugins, data_folder):
    mine = load(plugins, "mnist", data_folder)
    test = mine.split == "test"
    found = dict(zip(*np.unique(mine.groups["population"][test], return_counts=True), strict=True))
    assert found == {"census_employee": 4999, "high_school_student": 5001}
    assert len(np.unique(mine.cluster[~test])) == 539
    assert len(np.unique(mine.cluster[test])) == 297
    assert mine.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    judge = pd.read_parquet(data_folder / "vision/mnist/writer_groups.parquet")
    np.testing.assert_array_equal(mine.cluster, judge["writer_id"].astype(str).to_numpy(str))


def test_shapes_obey_their_parameters(plugins):
    mine = load(plugins, "synthetic_shapes", n=100, size=9, channels=3, seed=4)
    assert mine.x["image"].shape == (100, 3, 9, 9)
    other = load(plugins, "synthetic_shapes", n=100, size=9, channels=3, seed=5)
    assert (mine.x["image"] != other.x["image"]).any()
    with pytest.raises(Refusal):
        load(plugins, "synthetic_shapes", n=10)


IDX = struct.pack(">4I", 0x803, 4, 3, 3) + bytes(36)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (gzip.compress(IDX[:-1]), "35 of 36 bytes"),
        (gzip.compress(IDX + b"x"), "more"),
        (gzip.compress(b"\0\0\x0d\3" + IDX[4:]), "not an idx file"),
        (gzip.compress(struct.pack(">4I", 0x803, 2**31, 512, 512)), "at most"),
        (gzip.compress(IDX)[:-10], "cannot be unpacked"),
        (IDX, "cannot be unpacked"),
        (b"", "not an idx file"),
    ],
    ids=["short", "long", "other kind", "bomb", "torn", "plain", "empty"],  # bytes with a time in them are no names
)
def test_bad_idx_files_are_refused(tmp_path, content, why):
    from kdbench.datasets._idx import read

    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(Refusal, match=why):
        read(path, 3)


def test_good_idx_file_is_read(tmp_path):
    from kdbench.datasets._idx import read

    (tmp_path / "x.gz").write_bytes(gzip.compress(IDX[:-36] + bytes(range(36))))
    np.testing.assert_array_equal(read(tmp_path / "x.gz", 3), np.arange(36).reshape(4, 3, 3))


def test_random_tokens_are_full_rows_of_a_uniform_hat_and_say_that_they_are_random(plugins):
    """The judge: scipy's chi-squared test of the counts of all tokens, and of their independence of the labels."""
    from scipy.stats import chi2_contingency, chisquare

    one = load(plugins, "random_tokens", n=3000, length=20, vocabulary=11, classes=3, seed=4)
    x = one.x["tokens"]
    assert (x.shape, x.dtype, x.min(), x.max()) == ((3000, 20), np.int64, 1, 10)  # 0 is padding
    assert chisquare(np.bincount(x.ravel())[1:]).pvalue > 0.001
    assert chi2_contingency([np.bincount(x[one.y == k].ravel(), minlength=11)[1:] for k in range(3)]).pvalue > 0.001
    assert np.bincount(one.y).tolist() == [1000] * 3
    assert "random" in one.notes[0]
    assert not np.array_equal(x, load(plugins, "random_tokens", n=3000, length=20, vocabulary=11, seed=5).x["tokens"])
    with pytest.raises(Refusal, match="vocabulary 2, .* [(]allowed: .*vocabulary 3 or more"):
        load(plugins, "random_tokens", vocabulary=2)
