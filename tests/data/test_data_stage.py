"""The data stage: checks, splits, limits, leaks, and preparation on train alone."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from kdbench.nouns import Refusal, Samples
from kdbench.stages import samples as reader
from kdbench.stages.splits import draw


def numeric_of(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)


def both(make_table, n=200, share=0.25, **fields):
    return make_table(n, split=np.where(np.arange(n) < n * share, "test", "train"), **fields)


# --- what is written ---------------------------------------------------------------------------------------------------


def test_images_are_standardised_as_float64_numpy_does(kitchen):
    entry = kitchen.data("synthetic_shapes", {"n": 200, "size": 9, "channels": 3})
    rows, raw = reader.read(entry, "train"), reader.raw(entry, "train")
    pixels = raw.x["image"].astype(np.float64) / 255
    mean, std = pixels.mean(axis=(0, 2, 3)), pixels.std(axis=(0, 2, 3))
    np.testing.assert_allclose(rows.x["image"], (pixels - mean[:, None, None]) / std[:, None, None], atol=1e-5)
    assert rows.x["image"].dtype == np.float32
    assert rows.x["image"].flags.c_contiguous
    shape = reader.shape(entry)
    assert (shape.kind, shape.inputs, shape.classes, shape.levels) == ("image", {"image": (3, 9, 9)}, 5, ())


def test_tables_are_prepared_as_sklearn_does(kitchen, make_table):
    entry = kitchen.data(make_table())
    raw, rows = reader.raw(entry, "train"), reader.read(entry, "test")
    scaler = StandardScaler().fit(raw.x["numeric"].astype(np.float64))
    np.testing.assert_allclose(rows.x["numeric"], scaler.transform(reader.raw(entry, "test").x["numeric"]), atol=1e-5)
    given = dict(zip(make_table().ids, make_table().x["categorical"], strict=True))
    encoder = OrdinalEncoder().fit([given[i] for i in raw.ids])
    np.testing.assert_array_equal(rows.x["categorical"], encoder.transform([given[i] for i in rows.ids]) + 1)
    assert reader.shape(entry).levels == (4,)
    assert list(reader.shape(entry).inputs) == ["numeric", "categorical"]


def test_an_outlier_in_test_changes_nothing_that_train_says(kitchen, make_table):
    plain = both(make_table)
    numeric, category = plain.x["numeric"].copy(), plain.x["categorical"].astype("<U9")
    numeric[0], category[0] = 1e6, "planted"
    planted = both(make_table, x={"numeric": numeric, "categorical": category})
    one, two = (kitchen.data(s).json("meta.json") for s in (plain, planted))
    assert one["prepare"] == two["prepare"]
    assert one["content"] != two["content"]
    assert reader.read(kitchen.data(planted), "test").x["categorical"][0, 0] == 0
    inside = numeric.copy()
    inside[-60:] += 100
    assert kitchen.data(both(make_table, x={**plain.x, "numeric": inside})).json("meta.json")["prepare"] != one["prepare"]


def test_an_outlier_in_test_images_changes_nothing_that_train_says(kitchen):
    def make(value):
        image = np.random.default_rng(0).integers(0, 255, (100, 1, 4, 4)).astype(np.uint8)
        image[:20] = np.minimum(image[:20], value)
        split = np.where(np.arange(100) < 20, "test", "train")
        y, ids = np.arange(100) % 2, np.arange(100).astype("U")
        return Samples("image", {"image": image}, y, ids, ("a", "b"), "none", "test", split=split)

    one, two = (kitchen.data(make(v)).json("meta.json") for v in (255, 200))
    assert one["prepare"] == two["prepare"]
    assert one["content"] != two["content"]


def test_constant_columns_give_no_nan_and_a_note(kitchen, make_table):
    numeric = np.stack([numeric_of(200)[:, 0], np.full(200, 7.1, np.float32)], axis=1)
    entry = kitchen.data(make_table(x={**make_table().x, "numeric": numeric}))
    assert np.isfinite(reader.read(entry, "train").x["numeric"]).all()
    assert (abs(reader.read(entry, "test").x["numeric"][:, 1]) < 1e-5).all()
    assert any("'f1' is constant in train" in n for n in entry.json("meta.json")["notes"])


def test_meta_counts_every_group_also_those_without_test_rows(kitchen, make_table):
    group = np.where(np.arange(200) == 199, "Z", np.where(np.arange(200) % 2, "A", "B"))
    entry = kitchen.data(both(make_table, groups={"g": group}))
    assert entry.json("meta.json")["groups"] == {"g": {"A": 25, "B": 25, "Z": 0}}
    assert entry.json("meta.json")["n"]["test"] == 50


def test_same_samples_give_the_same_bytes_and_seeds_differ(kitchen, make_table):
    one, two = (kitchen.data(make_table()).manifest["files"] for _ in range(2))
    assert one == two
    assert kitchen.data(make_table(), seed=1).manifest["files"]["split.npy"] != one["split.npy"]


def test_text_arrays_of_other_width_are_the_same_content(kitchen, make_table):
    wide = make_table(ids=make_table().ids.astype("<U50"))
    assert kitchen.data(make_table()).json("meta.json")["content"] == kitchen.data(wide).json("meta.json")["content"]


# --- splits and limits -------------------------------------------------------------------------------------------------


def test_split_is_stratified_and_forgets_the_order_of_rows(kitchen, make_table):
    plain = make_table(y=(np.arange(200) % 10 == 0).astype(int))
    order = np.random.default_rng(1).permutation(200)
    mixed = make_table(x={k: v[order] for k, v in plain.x.items()}, y=plain.y[order], ids=plain.ids[order])
    one, two = kitchen.data(plain), kitchen.data(mixed)
    for split, n in {"test": 40, "validation": 24, "train": 136}.items():
        rows = reader.read(one, split)
        assert len(rows.y) == n
        assert abs(rows.y.sum() - 0.1 * n) < 1
        assert set(rows.ids) == set(reader.read(two, split).ids)


def test_sorted_files_get_every_class_in_test(kitchen, make_table):
    entry = kitchen.data(make_table(y=np.repeat([0, 1], 100)))
    assert np.bincount(reader.read(entry, "test").y).tolist() == [20, 20]


def test_given_test_rows_are_kept_and_validation_comes_from_train(kitchen, make_table):
    plain = both(make_table)
    entry = kitchen.data(plain)
    assert set(reader.read(entry, "test").ids) == set(plain.ids[plain.split == "test"])
    assert len(reader.read(entry, "validation").y) == round(0.15 * 150)
    given = make_table(split=np.repeat(["test", "validation", "train"], [40, 10, 150]))
    assert set(reader.read(kitchen.data(given), "validation").ids) == set(given.ids[40:50])


@pytest.mark.parametrize("limit", [{}, {"train": 60, "test": 31}])
def test_clusters_are_never_broken(kitchen, make_table, limit):
    cluster = np.array([f"p{i // 3}" for i in range(300)])
    entry = kitchen.data(make_table(300, cluster=cluster), limit=limit)
    parts = [reader.read(entry, s) for s in ("train", "validation", "test")]
    seen = [set(p.cluster) for p in parts]
    assert not seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2]
    for part in parts:
        whole = {c: (cluster == c).sum() for c in set(part.cluster)}
        assert {c: (part.cluster == c).sum() for c in set(part.cluster)} == whole
    if limit:
        assert 57 <= len(parts[0].y) <= 60
        assert 28 <= len(parts[2].y) <= 31
    else:
        assert abs(len(parts[2].y) - 60) <= 3
    assert entry.json("meta.json")["clustered"]


def test_limits_are_exact_stratified_and_nested(kitchen, make_table):
    full = kitchen.data(make_table(400))
    small = kitchen.data(make_table(400), limit={"train": 100, "test": 21})
    assert small.json("meta.json")["n"] == {"train": 100, "validation": 18, "test": 21}
    assert set(reader.read(small, "test").ids) < set(reader.read(full, "test").ids)
    assert np.bincount(reader.read(small, "train").y).tolist() == [50, 50]


def test_draw_equals_sklearns_stratified_counts():
    from sklearn.model_selection import StratifiedShuffleSplit

    y = np.repeat([0, 1, 2, 3], [500, 300, 150, 50])
    judge = next(StratifiedShuffleSplit(1, train_size=123, random_state=0).split(y, y))[0]
    mine = draw(y, np.arange(1000).astype("U"), None, 123, "test")
    assert abs(np.bincount(y[mine]) - np.bincount(y[judge])).max() <= 1
    assert len(np.unique(mine)) == 123


def test_a_class_of_one_row_stays_in_train(kitchen, make_table):
    y = np.arange(200) % 2
    y[7] = 2
    entry = kitchen.data(make_table(y=y, classes=("a", "b", "c")))
    assert 2 in reader.read(entry, "train").y
    assert any("no test row has the class 'c'" in n for n in entry.json("meta.json")["notes"])


# --- what is refused ---------------------------------------------------------------------------------------------------

NONE = {"numeric": np.zeros((0, 2), np.float32), "categorical": np.zeros((0, 1), "U1")}
INFINITE = {"numeric": np.full((200, 2), np.inf, np.float32), "categorical": np.full((200, 1), "a")}
REFUSED = {
    "no rows": ({"x": NONE, "y": np.zeros(0, int)}, "no rows"),
    "same ids": ({"ids": np.array(["a", "a", *map(str, range(198))])}, "id 'a' is given to rows 1, 2"),
    "negative label": ({"y": np.where(np.arange(200) == 4, -1, np.arange(200) % 2)}, "row 5: label -1"),
    "label too large": ({"y": np.where(np.arange(200) == 4, 2, np.arange(200) % 2)}, "row 5: label 2"),
    "float labels": ({"y": np.zeros(200)}, "whole numbers"),
    "one class": ({"classes": ("only",), "y": np.zeros(200, int)}, "at least two different classes"),
    "one class in train": ({"y": np.zeros(200, int)}, "train holds one class only, 'no'"),
    "infinite": ({"x": INFINITE}, "row 1, column 'f0': inf"),
    "columns": ({"columns": {"numeric": ("f0",), "categorical": ("c0",)}}, "2 numeric columns and 1 names"),
    "positive": ({"positive": "yess"}, "did you mean 'yes'"),
    "rows differ": ({"ids": np.arange(199).astype("U")}, "text .200,. expected"),
    "split name": ({"split": np.full(200, "tes")}, "row 1: split 'tes'"),
    "float64": ({"x": {"numeric": np.zeros((200, 2)), "categorical": np.full((200, 1), "a")}}, "float64"),
    "objects": ({"ids": np.array([object()] * 200)}, "object"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_samples_that_do_not_hold_together_are_refused(kitchen, make_table, case):
    fields, why = REFUSED[case]
    with pytest.raises(Refusal, match=why) as refused:
        kitchen.data(make_table(**fields))
    assert "\n" not in str(refused.value)


def test_class_seen_only_in_test_is_refused(kitchen, make_table):
    y = np.arange(200) % 2
    y[3] = 2
    with pytest.raises(Refusal, match="class 'c' has 1 test rows and no train row"):
        kitchen.data(both(make_table, y=y, classes=("a", "b", "c")))


BAD_GROUPS = [
    (np.arange(200).astype("U"), "continuous|is it an id"),
    (np.array([f"g{i}" for i in range(200)]), "200 groups in 200 rows"),
    (np.array([f"{i / 7:.3f}" for i in range(200)]), "continuous .* say bins"),
    (np.array([f"g{i % 60}" for i in range(200)]), "at most 50"),
]


@pytest.mark.parametrize(("group", "why"), BAD_GROUPS)
def test_columns_that_are_no_groups_are_refused(kitchen, make_table, group, why):
    with pytest.raises(Refusal, match=why):
        kitchen.data(make_table(groups={"g": group}))


def test_unknown_group_columns_and_splits_get_the_nearest(kitchen, make_table):
    with pytest.raises(Refusal, match="no group column 'sexx'; did you mean 'sex'"):
        kitchen.data(make_table(groups={"sex": np.full(200, "f")}), groups=["sexx"])
    with pytest.raises(Refusal, match="no split 'tests'; did you mean 'test'"):
        kitchen.data(make_table(), limit={"tests": 10})


def test_missing_groups_are_a_group_and_near_names_are_noted(kitchen, make_table):
    group = np.array(["A", "B", "b ", ""])[np.arange(200) // 2 % 4]
    meta = kitchen.data(make_table(groups={"g": group})).json("meta.json")
    assert set(meta["groups"]["g"]) == {"A", "B", "b ", "(missing)"}
    assert sum(meta["groups"]["g"].values()) == meta["n"]["test"]
    assert any("50 of 200 rows have no value" in n for n in meta["notes"])
    assert any("'B' and 'b ' are two groups" in n for n in meta["notes"])


# --- leaks -------------------------------------------------------------------------------------------------------------


def leaky(make_table, n, copies, **fields):
    plain = both(make_table, n)
    numeric = plain.x["numeric"].copy()
    category = plain.x["categorical"].copy()
    numeric[-copies:], category[-copies:] = numeric[:copies], category[:copies]
    return both(make_table, n, x={"numeric": numeric, "categorical": category}, **fields)


def test_copies_of_test_rows_in_train_are_refused_with_the_way_out(kitchen, make_table):
    with pytest.raises(Refusal, match=r"leak: 5 of 50 test rows .10.00%.*allow_leak: 5") as refused:
        kitchen.data(leaky(make_table, 200, 5))
    twin = re.search(r"test row '(r\d+)' is train row '(r\d+)'", str(refused.value))
    assert int(twin[2][1:]) - int(twin[1][1:]) == 195
    entry = kitchen.data(leaky(make_table, 200, 5), allow_leak=5)
    assert sum(entry.json("meta.json")["n"].values()) == 200
    assert any("allow_leak: 5 keeps them" in n for n in entry.json("meta.json")["notes"])


def test_a_few_copies_are_removed_from_train(kitchen, make_table):
    samples = leaky(make_table, 4000, 3)
    entry = kitchen.data(samples)
    held = {*reader.read(entry, "train").ids, *reader.read(entry, "validation").ids}
    assert not held & set(samples.ids[-3:])
    assert len(reader.read(entry, "test").y) == 1000
    assert any("these 3 rows were removed" in n for n in entry.json("meta.json")["notes"])


def test_records_that_may_look_alike_are_counted_not_refused(kitchen, make_table):
    entry = kitchen.data(leaky(make_table, 200, 20, alike=True))
    assert sum(entry.json("meta.json")["n"].values()) == 200
    assert any("20 of 50 test rows" in n for n in entry.json("meta.json")["notes"])


@pytest.mark.parametrize("given", [True, False])
def test_tables_that_tell_nothing_apart_are_not_refused(kitchen, make_table, given):
    x = {"numeric": np.ones((200, 2), np.float32), "categorical": np.full((200, 1), "a")}
    samples = both(make_table, x=x) if given else make_table(x=x)
    notes = kitchen.data(samples).json("meta.json")["notes"]
    assert any("(100.00%)" in n for n in notes)
    assert any("accuracy <= 0.5" in n for n in notes)


def test_copies_stay_on_one_side_where_kdbench_splits(kitchen, make_table):
    twice = {k: np.concatenate([v, v]) for k, v in make_table().x.items()}
    y = np.concatenate([make_table().y] * 2)
    entry = kitchen.data(make_table(400, x=twice, y=y))
    sides = [{row.tobytes() for row in reader.raw(entry, s).x["numeric"]} for s in ("train", "validation", "test")]
    assert not sides[2] & (sides[0] | sides[1])
    assert any("200 rows have the same input" in n for n in entry.json("meta.json")["notes"])


def test_near_copies_and_told_labels_are_noted(kitchen, make_table):
    plain = both(make_table)
    numeric = plain.x["numeric"].copy()
    numeric[-10:] = numeric[:10] + np.float32(1e-6)
    numeric[:, 1] = plain.y
    category = plain.x["categorical"].copy()
    category[-10:] = category[:10]
    notes = kitchen.data(both(make_table, x={"numeric": numeric, "categorical": category})).json("meta.json")["notes"]
    assert any("10 of 50 test rows nearly equal" in n for n in notes)
    assert any("'f1' says the label exactly" in n for n in notes)


def test_equal_inputs_with_two_labels_bound_the_accuracy(kitchen, make_table):
    plain = both(make_table)
    numeric = plain.x["numeric"].copy()
    numeric[1], numeric[7] = numeric[0], numeric[6]  # other labels: 0/1 and 6/7
    category = plain.x["categorical"].copy()
    category[1], category[7] = category[0], category[6]
    notes = kitchen.data(both(make_table, x={"numeric": numeric, "categorical": category})).json("meta.json")["notes"]
    assert any("at least 2 of 50 must be wrong, accuracy <= 0.9600" in n for n in notes)


@pytest.mark.parametrize(("name", "found"), [("digits", 0), ("rand_hie", 10)])
def test_equal_rows_of_the_embedded_sets_are_known(kitchen, name, found):
    notes = kitchen.data(name).json("meta.json")["notes"]
    assert [n.split(" ")[0] for n in notes if "same input" in n] == ([str(found)] if found else [])


@pytest.mark.parametrize(("name", "found"), [("fashion_mnist", 0), ("mnist", 0), ("adult", 26)])
def test_equal_rows_of_the_official_splits_are_known(kitchen, data_folder, name, found):
    notes = kitchen.data(name, limit={"train": 1000, "test": 500}).json("meta.json")["notes"]
    assert [n.split(" ")[0] for n in notes if "same input" in n] == ([str(found)] if found else [])


def test_rand_hie_keeps_people_on_one_side(kitchen):
    entry = kitchen.data("rand_hie", limit={"train": 3000, "test": 1000})
    people = [set(reader.read(entry, s).cluster) for s in ("train", "validation", "test")]
    assert not people[0] & people[2]
    assert not people[1] & people[2]
